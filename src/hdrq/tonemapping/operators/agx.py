"""AgX: a log encoding inside a narrower gamut, and a sigmoid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.image.color import from_bt709, mix, to_bt709
from hdrq.image.statistics import luminance
from hdrq.tonemapping.exposure import gain_to_grey
from hdrq.tonemapping.operator import OperatorCard, operator

# BT.709 moved towards its white, so that bright saturated light becomes white rather than a primary colour.
_INSET = np.array(
    [
        [0.842479062253094, 0.0784335999999992, 0.0792237451477643],
        [0.0423282422610123, 0.878468636469772, 0.0791661274605434],
        [0.0423756549057051, 0.0784336, 0.879142973793104],
    ]
)
# log2 of 0.18, minus 10 and plus 6.5 stops
_LOW, _HIGH = -12.47393, 4.026069
# where 0.18 lies in the log encoding, and the code it becomes
_PIVOT, _GREY = 10 / 16.5, 0.5
_DISPLAY = 2.2


@operator(
    OperatorCard(
        title="AgX",
        source="Sobotka 2022, AgX, default view transform",
        tunes={"ev": (-6, 6), "slope": (1.3, 4)},
        limits={"slope": (1.27, 20), "toe": (1, 20), "shoulder": (1, 20)},
    )
)
def agx(
    light: Tensor,
    *,
    ev: float = 0.0,
    auto: bool = True,
    slope: float = 2.0,
    toe: float = 3.0,
    shoulder: float = 3.25,
    outset: bool = False,
) -> Tensor:
    """Inset matrix, log2 from -10 to +6.5 stops around 0.18, sigmoid, display gamma 2.2.

    auto    puts the geometric mean luminance at 0.18 first; ev moves it
    slope   of the sigmoid at middle grey; toe and shoulder are the powers of its ends
    outset  undo the inset after the curve, as the later re-implementations do
    """
    c = light * gain_to_grey(luminance(light), ev, auto)
    narrow = mix(to_bt709(c), _INSET) if c.shape[1] == 3 else c
    x = ((narrow.clamp(min=2**_LOW).log2() - _LOW) / (_HIGH - _LOW)).clamp(0, 1)
    code = _sigmoid(x, slope, toe, shoulder)
    if outset and c.shape[1] == 3:
        code = mix(code, np.linalg.inv(_INSET)).clamp(0, 1)
    return from_bt709(code.clamp(min=0) ** _DISPLAY)


def _sigmoid(x: Tensor, slope: float, toe: float, shoulder: float) -> Tensor:
    """Through (0, 0), (pivot, grey) with the slope, and (1, 1)."""
    low = _GREY - _branch(_PIVOT - x, _PIVOT, _GREY, slope, toe)
    high = _GREY + _branch(x - _PIVOT, 1 - _PIVOT, 1 - _GREY, slope, shoulder)
    return torch.where(x < _PIVOT, low, high)


def _branch(run: Tensor, width: float, height: float, slope: float, power: float) -> Tensor:
    """A hyperbola of `power` that starts at 0 with the slope and is `height` at `width`."""
    scale = ((slope * width) ** -power * ((slope * width / height) ** power - 1)) ** (-1 / power)
    t = slope * run.clamp(min=0) / scale
    result: Tensor = scale * t / (1 + t**power) ** (1 / power)
    return result
