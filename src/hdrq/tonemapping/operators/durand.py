"""Durand & Dorsey 2002: contrast of the base layer reduced, detail layer kept."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.color import weigh
from hdrq.image.edge_preserving import bilateral, bilateral_grid, bilateral_slices, guided_filter
from hdrq.image.statistics import (
    brightest,
    darkest,
    longer_side,
    luminance,
    ordered,
    parameter,
    ranked,
    ratio,
    relight,
)
from hdrq.tonemapping.color_correction import exponent_for
from hdrq.tonemapping.operator import OperatorCard, operator

_DELTA = 1e-6
# rank of the base that counts as black
_LOW = 0.001
# pixels, of pfstools
_SIGMA = 40.0
_INTENSITY = (20 / 61, 40 / 61, 1 / 61)


@operator(
    OperatorCard(
        title="Fast bilateral filtering",
        source="Durand & Dorsey 2002, doi:10.1145/566654.566574; variants as HDR Toolbox 5375d05 and pfstools 2.2",
        tunes={"contrast": (1.5, 100)},
        limits={"contrast": (1.01, 1e6), "spread": (1e-3, 1)},
        needs={
            "spread": ("variant", ("paper", "hdrtoolbox")),
            "filter": ("variant", ("paper", "hdrtoolbox")),
        },
    )
)
def durand(
    light: Tensor,
    *,
    contrast: float = 5.0,
    spread: float = 0.02,
    sigma_range: float = 0.4,
    filter: Literal["grid", "exact", "guided"] = "grid",
    variant: Literal["paper", "hdrtoolbox", "pfstools"] = "paper",
) -> Tensor:
    """log L_d = c B + (log L - B) - c high B, c = log(contrast) / (high B - low B), logarithms to 10.

    high and low are the ranks 99.9 and 0.1 % of the base, so that a single bright pixel does not set the scale.

    contrast  of the base, max to min
    spread    sigma of the filter in space as a share of the longer side; sigma_range in log10 units
    filter    grid: cells of one sigma; exact: every pixel of the window (slow); guided: the guided filter
    variant   hdrtoolbox: the greatest and the least value of the base of log10(L + 1e-6), as the paper has it;
              pfstools: `contrast` and `sigma_range` are natural logarithms, between the 1 % and 99.5 % ranks, of (20 R + 40 G
              + B) / 61; 40 pixels for sigma in space, slices blurred in the Fourier domain, colours less saturated by c
    """
    if variant == "pfstools":
        return _as_pfstools(light, contrast, sigma_range)
    y = luminance(light)
    toolbox = variant == "hdrtoolbox"
    delta = _DELTA if toolbox else 0.0
    x = (y + delta).clamp(min=1e-30).log10()
    sigma = max(spread * longer_side(y), 1e-3)
    if filter == "guided":
        base = guided_filter(x, x, max(1, round(2 * sigma)), sigma_range**2)
    else:
        base = (
            bilateral(x, sigma, sigma_range) if filter == "exact" else bilateral_grid(x, sigma, sigma_range)
        )
    low, high = (darkest(base), brightest(base)) if toolbox else (ranked(base, _LOW), ranked(base, 1 - _LOW))
    squeeze = (parameter(contrast).log10() / (high - low).clamp(min=1e-6)).clamp(max=1)
    new = (10 ** (squeeze * (base - high)) - delta).clamp(min=0)
    return relight(light, (10**base - delta).clamp(min=1e-30), new)


def _as_pfstools(light: Tensor, contrast: float, sigma_range: float) -> Tensor:
    y = weigh(light, _INTENSITY) if light.shape[1] == 3 else light
    x = y.clamp(min=_DELTA).log()
    base = bilateral_slices(x, _SIGMA, sigma_range)
    low, high = ordered(base, 0.01), ordered(base, 0.995)
    squeeze = contrast / (high - low).clamp(min=1e-6)
    new = (squeeze * (base - high) + x - base).exp()
    return ratio(light, y).clamp(min=1e-9) ** exponent_for(squeeze) * new
