"""Van Hateren 2006: the steady state of cones and horizontal cells."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.statistics import luminance, relight
from hdrq.tonemapping.operator import OperatorCard, operator

# nominal constants of the cone model
_AC, _CB, _KB = 9e-2, 2.8e-3, 1.6e-4


@operator(
    OperatorCard(
        title="Encoding of high dynamic range video with a model of human cones",
        source="Van Hateren 2006, doi:10.1145/1183287.1183293",
        reads="nits",
        # no statistics
        temporal=False,
        tunes={"pupil": (1, 50)},
        limits={"pupil": (0.01, 1000)},
    )
)
def van_hateren(
    light: Tensor, *, pupil: float = 10.0, variant: Literal["toolbox", "derived"] = "toolbox"
) -> Tensor:
    """L_d = 1 - x / x_dark, x the steady current of a cone under L · pupil trolands.

    pupil    area, mm²
    variant  toolbox: 0.09 x⁵ + x⁴ = 1/β, as HDR Toolbox and pfstools solve it; derived: 0.09⁴ x⁵ + x = 1/β,
             from α = 1 / (1 + (0.09 I)⁴). Which of them the paper means is open.
    """
    y = luminance(light)
    a, power = (_AC, 4) if variant == "toolbox" else (_AC**4, 1)
    x = _root(1 / (_CB + _KB * pupil * y), a, power)
    dark = _root(torch.full_like(y[:1, :1, :1, :1], 1 / _CB), a, power)
    return relight(light, y, 1 - x / dark)


def _root(target: Tensor, a: float, power: int) -> Tensor:
    """The positive x of a x⁵ + x^power = target, by Newton from above, where the curve is convex."""
    with torch.no_grad():
        x = torch.minimum((target / a) ** 0.2, target ** (1 / power))
        for _ in range(4):
            x = _newton(x, target, a, power)
    # this step carries the gradient
    return _newton(x, target, a, power)


def _newton(x: Tensor, target: Tensor, a: float, power: int) -> Tensor:
    square = x * x
    fourth = square * square
    if power == 4:
        return x - (fourth * (a * x + 1) - target) / (square * x * (5 * a * x + 4))
    return x - (x * (a * fourth + 1) - target) / (5 * a * fourth + 1)
