"""Huo 2014: inverse of a model of the retina."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import brightest, log_mean, luminance, ratio, relight
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Physiological inverse tone mapping based on retina response",
        source="Huo, Yang, Dong & Brost 2014, doi:10.1007/s00371-013-0875-4",
        reads="code",
        gives="nits",
        limits={"n": (0.1, 3)},
        robust=False,
    )
)
def huo_2014(
    code: Tensor, *, peak_nits: float = 5000.0, n: float = 0.86, transfer: Transfer = "srgb"
) -> Tensor:
    """(L / L_max) ((peak B)^n + (peak L̄)^n)^(1/n), B two bilateral passes (16 pixels, 0.3; 10 pixels, 0.1)."""
    light = linearise(code, transfer)
    y = luminance(light)
    around = bilateral_grid(bilateral_grid(y, 16.0, 0.3), 10.0, 0.1).clamp(min=1e-6)
    half = ((peak_nits * around) ** n + (peak_nits * log_mean(y)) ** n) ** (1 / n)
    return relight(light, y, ratio(y, brightest(y)) * half)
