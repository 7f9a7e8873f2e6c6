"""Reinhard 2002, global."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.statistics import relight
from hdrq.tonemapping.exposure import compress, expose, expose_robustly
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Photographic tone reproduction, global",
        source="Reinhard, Stark, Shirley & Ferwerda 2002, doi:10.1145/566654.566575; "
        "automatic key and white: Reinhard 2002, Journal of Graphics Tools 7(4), doi:10.1080/10867651.2002.10487554",
        tunes={"key": (0.01, 2), "white": (0.5, 1000)},
    )
)
def reinhard(
    light: Tensor,
    *,
    key: float | None = 0.18,
    white: float | None = None,
    variant: Literal["paper", "hdrtoolbox", "hdrtoolbox-robust", "pfstools"] = "paper",
) -> Tensor:
    """L_m (1 + L_m / white²) / (1 + L_m) of the exposed luminance L_m = key L / L̄.

    key      what the geometric mean becomes; auto estimates it from the spread of the histogram
    white    the exposed luminance that becomes 1; auto is the brightest pixel (hdrtoolbox: estimated)
    variant  offset of the logarithmic mean and, for hdrtoolbox, the estimate of `white`; hdrtoolbox-robust cuts luminance
             at its 1 % and 99 % ranks first, and auto white is infinite
    """
    robust = variant == "hdrtoolbox-robust"
    exposed = expose_robustly(light, key, white) if robust else expose(light, key, white, variant)

    def shown(c: Tensor, y: Tensor, scaled: Tensor) -> Tensor:
        return relight(c, y, compress(scaled, scaled, exposed.white))

    return in_strips(shown, light, exposed.luminance, exposed.scaled)
