"""Durand & Dorsey 2002: less contrast in the base, all of it in the detail."""

from __future__ import annotations

from math import log10
from typing import Literal

from torch import Tensor

from hdrq.ops.bilateral import bilateral, bilateral_grid
from hdrq.ops.guided import guided_filter
from hdrq.ops.operator import OperatorCard, operator
from hdrq.ops.scene import brightest, darkest, luminance, relight

_DELTA = 1e-6


@operator(
    OperatorCard(
        title="Fast bilateral filtering",
        source="Durand & Dorsey 2002, doi:10.1145/566654.566574; numbers of HDR Toolbox 5375d05",
        tunes={"contrast": (1.5, 100)},
    )
)
def durand(
    light: Tensor,
    *,
    contrast: float = 5.0,
    spread: float = 0.02,
    sigma_range: float = 0.4,
    filter: Literal["grid", "exact", "guided"] = "grid",
) -> Tensor:
    """log L_d = c B + (log L - B) - c max B, c = log(contrast) / (max B - min B), logarithms to 10.

    contrast  of the base, max to min
    spread    sigma of the filter in space as a share of the longer side; sigma_range in log10 units
    filter    grid: cells of one sigma; exact: every pixel of the window (slow); guided: the guided filter
    """
    y = luminance(light)
    x = (y + _DELTA).log10()
    sigma = max(spread * max(y.shape[-2:]), 1e-3)
    if filter == "guided":
        base = guided_filter(x, x, max(1, round(2 * sigma)), sigma_range**2)
    else:
        base = (
            bilateral(x, sigma, sigma_range) if filter == "exact" else bilateral_grid(x, sigma, sigma_range)
        )
    top = brightest(base)
    squeeze = (log10(contrast) / (top - darkest(base)).clamp(min=1e-6)).clamp(max=1)
    new = (10 ** (squeeze * (base - top)) - _DELTA).clamp(min=0)
    return relight(light, (10**base - _DELTA).clamp(min=1e-12), new)
