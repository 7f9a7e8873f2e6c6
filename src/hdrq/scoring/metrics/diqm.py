"""DIQM: the quality that HDR-VDP would give, from both pictures, by a small network."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import UsageError
from hdrq.nn.quality_input import Compat, Curve, adjusted, official, one_channel, scrambled, spanned
from hdrq.records import Encoding
from hdrq.scoring.features.patchwise import jod


@metric(
    Card(
        title="DIQM, deep full-reference HDR quality",
        unit="1",
        better="higher",
        span=(0.0, 1.0),
        reads="code",
        source="doi:10.1109/TIP.2019.2944079",
        needs=("net", "encoding"),
        side=32,
        planes=125,
        net="diqm",
    )
)
def diqm(
    ref: Tensor,
    dist: Tensor,
    *,
    net: Any,
    encoding: Encoding | None = None,
    peak: float = 0.0,
    curve: Curve = "card",
    compat: Compat = "card",
) -> Reading:
    """Share of the best quality, 1 is identical or so; `q` is the same out of 100, `jod` where the card knows how.

    peak    cd/m² that each picture's own brightest value is put at first (the program: 1400); 0 leaves light as it is
    curve   "tmo": the program's tone curve instead of the weights' own encoding
    compat  pixels in the scrambled order that the authors' weights were trained on; "card": where the weights are theirs
    """
    theirs = official(net, compat)
    like = next(net.parameters())
    seen = [view(x, net, encoding, peak, curve, theirs).to(like) for x in (ref, dist)]
    q = net(*seen).to(ref)
    return Reading(q, None, {"q": 100 * q} | jod(net, q))


def view(
    image: Tensor, net: Any, encoding: Encoding | None, peak: float, curve: Curve, theirs: bool
) -> Tensor:
    """What the network is handed of one picture, (N, 1 or 3, H, W)."""
    channels = int(net.channels) // 2
    code = one_channel(image, encoding) if channels == 1 else image
    if code.shape[1] != channels:
        raise UsageError("these weights read colour, and the picture has one channel")
    code = adjusted(code, encoding, peak, curve)
    if theirs and channels == 3:
        code = scrambled(code, turned=True)
    return spanned(code, net)
