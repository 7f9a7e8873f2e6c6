"""HDR-VDP 3's Gaussian blur: a sampled kernel when narrow, a transfer function when wide."""

from __future__ import annotations

from functools import partial
from math import ceil, pi
from typing import Literal

import torch
from scipy.fft import next_fast_len
from torch import Tensor

from hdrq.image import filters as windows

WIDE = 4.3  # pixels of standard deviation
REACH = 8.5  # standard deviations, where a Gaussian is below 2e-16 of its peak


def blur(x: Tensor, sigma: float, border: Literal["zero", "replicate"]) -> Tensor:
    """(N, C, H, W) weighted by a Gaussian of `sigma` pixels.

    Surprise: a wide "replicate" blur continues the bottom and right edges for one image size and then wraps
    round, so that the top and left edges see the values of the bottom and right ones.
    """
    if sigma >= WIDE:
        for dim in (-1, -2):
            x = windows.by_lines(partial(_wrapped, sigma=sigma, border=border, dim=dim), x, dim)
        return x
    size = int(6 * sigma + 0.5)
    taps = windows.gaussian(size + 1 - size % 2, sigma, x)
    return windows.separable(x, taps, border=border)


def _wrapped(x: Tensor, sigma: float, border: str, dim: int) -> Tensor:
    """Along one dimension: the value after the last sample is subtracted, so that zero padding suffices."""
    n = x.shape[dim]
    size = min(2 * n, next_fast_len(n + ceil(REACH * sigma), real=True))
    after = x.narrow(dim, n - 1, 1) if border == "replicate" else x.new_zeros(())
    omega = torch.fft.rfftfreq(size, dtype=torch.float64) * (2 * pi)
    transfer = torch.exp(-0.5 * (omega * sigma) ** 2).to(x)
    transfer = transfer if dim == -1 else transfer[:, None]
    spectrum = torch.fft.rfft(x - after, n=size, dim=dim) * transfer
    result: Tensor = torch.fft.irfft(spectrum, n=size, dim=dim).narrow(dim, 0, n) + after
    return result
