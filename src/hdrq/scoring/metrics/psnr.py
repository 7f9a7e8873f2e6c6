"""Peak signal-to-noise ratio."""

from __future__ import annotations

from math import inf, log10

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.scoring.features.pixel_errors import mean_square


@metric(
    Card(
        title="Peak signal-to-noise ratio",
        unit="dB",
        better="higher",
        span=(None, None),
        reads="code",
        best=inf,
        planes=10,
        source="definition; on PU21 code as in Mantiuk & Azimi, PCS 2021, doi:10.1109/PCS50896.2021.9477471",
    )
)
def psnr(ref: Tensor, dist: Tensor, *, peak: float = 1.0) -> Tensor:
    """20 log10(peak) - 10 log10(MSE), dB, the squared errors of all channels pooled in one mean.

    peak     code of a white; 1.0 is PU21's 256, so the number is that of the authors' program
    returns  +inf for identical images, with a gradient of zero
    """
    error = mean_square(ref, dist)
    differs = error > 0
    decibels = 20 * log10(peak) - 10 * torch.log10(torch.where(differs, error, 1.0))
    return torch.where(differs, decibels, inf)
