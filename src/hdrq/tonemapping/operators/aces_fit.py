"""The rational fit of the ACES reference rendering."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.statistics import luminance
from hdrq.tonemapping.exposure import gain_to_grey
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="ACES filmic curve, fitted",
        source="Narkowicz 2016, ACES Filmic Tone Mapping Curve",
        tunes={"ev": (-6, 6)},
    )
)
def aces_fit(light: Tensor, *, ev: float = 0.0, auto: bool = True) -> Tensor:
    """x (2.51 x + 0.03) / (x (2.43 x + 0.59) + 0.14) on every channel.

    auto  puts the geometric mean luminance at 0.18 first; ev moves it
    """
    gain = gain_to_grey(luminance(light), ev, auto)

    def curve(c: Tensor) -> Tensor:
        x = c * gain
        return x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)

    return in_strips(curve, light)
