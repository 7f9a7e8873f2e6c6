"""The exponential curve of luminance over its geometric mean."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.statistics import log_mean, luminance, relight
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Exponential",
        source="Banterle et al., Advanced High Dynamic Range Imaging, 2nd ed. 2017, section 3.2.1",
        tunes={"k": (0.05, 20)},
        limits={"k": (1e-6, 1e6)},
    )
)
def exponential(light: Tensor, *, k: float = 1.0) -> Tensor:
    """L_d = 1 - exp(-k L / L̄), L̄ the geometric mean."""
    y = luminance(light)
    average = log_mean(y)
    return in_strips(lambda c, y: relight(c, y, -(-k * y / average).expm1()), light, y)
