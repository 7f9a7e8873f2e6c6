"""NoR-VDPNet++: what HDR-VDP or TMQI would say, from the test image alone. Also written norvdpnet++."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.nn.quality_input import Compat, Curve, adjusted, fitting, official, spanned
from hdrq.records import Encoding
from hdrq.scoring.features.patchwise import jod


@metric(
    Card(
        title="NoR-VDPNet++, deep no-reference HDR quality",
        unit="1",
        better="higher",
        span=(0.0, 1.0),
        reads="code",
        reference=None,
        source="doi:10.1109/ACCESS.2023.3263496",
        needs=("net", "encoding"),
        side=64,
        planes=120,
        net="norvdpnetpp",
    )
)
def norvdpnetpp(
    image: Tensor,
    *,
    net: Any,
    encoding: Encoding | None = None,
    peak: float = 0.0,
    curve: Curve = "card",
    compat: Compat = "card",
) -> Reading:
    """Share of the best quality, 1 is flawless; `q` is the same out of 100, `jod` where the card knows how.

    peak    cd/m² that the brightest luminance is put at first, 0 to leave light as it is. The authors' program
            documents 1400 and, by swapped arguments, uses 2 for HDR files.
    curve   "tmo": the program's tone curve instead of the weights' own encoding
    compat  colour weights of the authors see channels from blue to red; "card": where the weights are theirs
    """
    q = net(view(image, net, encoding, peak, curve, official(net, compat)).to(_like(net))).to(image)
    return Reading(q, None, {"q": 100 * q} | jod(net, q))


def view(
    image: Tensor, net: Any, encoding: Encoding | None, peak: float, curve: Curve, theirs: bool
) -> Tensor:
    """What the network is handed, (N, 1 or 3, H, W)."""
    code = adjusted(fitting(image, net, encoding), encoding, peak, curve)
    code = code.flip(1) if theirs else code
    return spanned(code, net)


def _like(net: Any) -> Tensor:
    result: Tensor = next(net.parameters())
    return result
