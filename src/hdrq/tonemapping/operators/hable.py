"""Hable's filmic curve."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.statistics import luminance, parameter
from hdrq.tonemapping.exposure import gain_to_grey
from hdrq.tonemapping.operator import OperatorCard, operator

# shoulder strength, linear strength, linear angle, toe strength, toe numerator, toe denominator
_SHAPES = {
    "uncharted2": (0.15, 0.50, 0.10, 0.20, 0.02, 0.30),
    "colour-hdri": (0.22, 0.30, 0.10, 0.20, 0.01, 0.30),
}


@operator(
    OperatorCard(
        title="Filmic curve of Uncharted 2",
        source="Hable 2010, Uncharted 2: HDR Lighting, Game Developers Conference",
        tunes={"ev": (-6, 6), "white": (2, 50)},
        limits={"white": (0.1, 1e4), "bias": (0.01, 100)},
    )
)
def hable(
    light: Tensor,
    *,
    ev: float = 0.0,
    auto: bool = True,
    bias: float = 2.0,
    white: float = 11.2,
    variant: Literal["uncharted2", "colour-hdri"] = "uncharted2",
) -> Tensor:
    """f(bias C) / f(white) on every channel.

    auto     puts the geometric mean luminance at 0.18 first; ev moves it
    white    the value, after the bias, that becomes 1
    variant  the constants of the talk, or those of the colour-hdri package
    """
    a, b, c, d, e, f = _SHAPES[variant]

    def curve(x: Tensor) -> Tensor:
        return (x * (a * x + c * b) + d * e) / (x * (a * x + b) + d * f) - e / f

    gain, top = gain_to_grey(luminance(light), ev, auto), curve(parameter(white))
    return in_strips(lambda x: curve(bias * (x * gain)) / top, light)
