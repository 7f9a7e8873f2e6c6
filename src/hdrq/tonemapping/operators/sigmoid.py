"""A differentiable sigmoid for parameter optimisation."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.arithmetic import in_strips, power
from hdrq.image.statistics import log_mean, luminance, ratio
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Sigmoid with saturation",
        source="the Naka-Rushton curve as tone mappers tuned by gradient use it; half response at L̄ / alpha",
        tunes={"alpha": (0.02, 50), "gamma": (0.3, 1.5)},
        colour=("gamma",),
        limits={"alpha": (1e-6, 1e6), "gamma": (0, 5)},
    )
)
def sigmoid(light: Tensor, *, alpha: float = 0.5, gamma: float = 1.0) -> Tensor:
    """L_d = alpha L / (alpha L + L̄), C_d = (C / L)^gamma L_d, L̄ the geometric mean.

    alpha  exposure; gamma  saturation
    """
    y = luminance(light)
    average = log_mean(y)

    def shown(c: Tensor, y: Tensor) -> Tensor:
        scaled = alpha * y / average
        colour = power(ratio(c, y).clamp(min=1e-9), gamma)
        return colour * (scaled / (1 + scaled))

    return in_strips(shown, light, y)
