"""DIQM: the quality that HDR-VDP would give, from both images, by a small network."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.nn.network_input import Compat, Curve, adjusted, as_authors, fitting, scrambled, spanned
from hdrq.records import Encoding
from hdrq.scoring.features.network_scores import share, share_card


@metric(
    share_card(
        title="DIQM, deep full-reference HDR quality",
        source="doi:10.1109/TIP.2019.2944079",
        net="diqm",
        side=32,
        planes=125,
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
    """Share of the best quality, 1 is identical or so; `q` is the same out of 100. JOD where the weights are calibrated.

    Weights of the authors give their program's numbers. Of weights that hdrq distilled, the score is divided by that of
    the reference against itself and is at most 1, so that identical images have exactly 1, or 10 JOD.

    peak    cd/m² to which the maximum of each image is scaled (the program: 1400); 0 leaves light unscaled
    curve   "tmo": the program's tone curve instead of the weights' own encoding
    compat  pixels in the scrambled order that the authors' weights were trained on; "card": where the weights are theirs
    """
    theirs = as_authors(net, compat)
    seen = (view(x, net, encoding, peak, curve, theirs) for x in (ref, dist))
    return share(net, *seen, like=ref)


def view(
    image: Tensor, net: Any, encoding: Encoding | None, peak: float, curve: Curve, theirs: bool
) -> Tensor:
    """The network input from one image, (N, 1 or 3, H, W)."""
    code = adjusted(fitting(image, net, encoding, images=2), encoding, peak, curve)
    if theirs and code.shape[1] == 3:
        code = scrambled(code, turned=True)
    return spanned(code, net)
