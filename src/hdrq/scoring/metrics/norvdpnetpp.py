"""NoR-VDPNet++: prediction of HDR-VDP or TMQI from the test image alone. Also written norvdpnet++."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.nn.network_input import Compat, Curve, adjusted, as_authors, fitting, spanned
from hdrq.records import Encoding
from hdrq.scoring.features.network_scores import share, share_card


@metric(
    share_card(
        title="NoR-VDPNet++, deep no-reference HDR quality",
        source="doi:10.1109/ACCESS.2023.3263496",
        net="norvdpnetpp",
        side=64,
        planes=120,
        reference=None,
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
    """Share of the best quality, 1 is flawless; `q` is the same out of 100. JOD where the weights are calibrated.

    peak    cd/m² to which the maximum luminance is scaled, 0 for no scaling. The authors' program
            documents 1400 and, by swapped arguments, uses 2 for HDR files.
    curve   "tmo": the program's tone curve instead of the weights' own encoding
    compat  colour weights of the authors see channels from blue to red; "card": where the weights are theirs
    """
    return share(net, view(image, net, encoding, peak, curve, as_authors(net, compat)), like=image)


def view(
    image: Tensor, net: Any, encoding: Encoding | None, peak: float, curve: Curve, theirs: bool
) -> Tensor:
    """The network input, (N, 1 or 3, H, W)."""
    code = adjusted(fitting(image, net, encoding), encoding, peak, curve)
    code = code.flip(1) if theirs else code
    return spanned(code, net)
