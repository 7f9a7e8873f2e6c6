"""NoR-VDPNet: the quality that HDR-VDP-2 would give, from the test image alone."""

from __future__ import annotations

from math import log
from typing import Any

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.nn.nets.norvdpnet import GAMMA
from hdrq.nn.network_input import Compat, adjusted, as_authors, fitting, rounded_luma, scrambled, spanned
from hdrq.records import Encoding
from hdrq.scoring.features.network_scores import share, share_card


@metric(
    share_card(
        title="NoR-VDPNet, no-reference HDR-VDP-2",
        source="doi:10.1109/ICIP40778.2020.9191202",
        net="norvdpnet",
        side=64,
        planes=120,
        reference=None,
    )
)
def norvdpnet(
    image: Tensor,
    *,
    net: Any,
    encoding: Encoding | None = None,
    peak: float = 0.0,
    compat: Compat = "card",
) -> Reading:
    """Share of the best quality, 1 is flawless; `q` is the same out of 100. JOD where the weights are calibrated.

    peak    cd/m² that the brightest luminance is put at and that the code then calls 1, as the authors' program
            does with 1 000 000; 0 leaves light as it is
    compat  8-bit luma rounded as there, colour weights see the scrambled pixels they were trained on; "card":
            where the weights are the authors'
    """
    return share(net, view(image, net, encoding, peak, as_authors(net, compat)), like=image)


def view(image: Tensor, net: Any, encoding: Encoding | None, peak: float, theirs: bool) -> Tensor:
    """The network input, (N, 1 or 3, H, W)."""
    if encoding is not None and encoding.absolute:
        code = adjusted(fitting(image, net, encoding), encoding, peak, "card")
        # the program divides by the logarithm of the peak itself
        if peak > 0:
            code = encoding.decode(code).log1p() / log(peak)
    else:
        grey = int(net.channels) == 1
        code = rounded_luma(image) if grey and theirs else fitting(image, net, encoding)
        code = code.clamp(min=0) ** GAMMA
    if theirs and code.shape[1] == 3:
        code = scrambled(code, turned=False)
    return spanned(code, net)
