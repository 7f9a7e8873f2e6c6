"""Bilateral filter by slices of the range, each blurred through the Fourier transform, as pfstmo_durand02 of pfstools 2.2 has it.

Source of the slices: Durand & Dorsey 2002, doi:10.1145/566654.566574, section 5.1; of everything else: its output.
"""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor


def bilateral_slices(x: Tensor, sigma: float, sigma_range: float) -> Tensor:
    """(N, 1, H, W) smoothed where it varies by less than sigma_range.

    Weights in range are exp(-d² / sigma_range²). In the frequencies the kernel is exp(-k² / 2 s²), s = W / (2 sigma) cycles of
    the frame for both directions; the negative ones across are counted from the last, one too few.
    """
    return torch.cat([_one(frame[None, 0], sigma, sigma_range) for frame in x])[:, None]


def _one(x: Tensor, sigma: float, sigma_range: float) -> Tensor:
    kernel = _kernel(x, sigma)
    low, high = x.amin(), x.amax()
    count = max(ceil(float((high - low).detach() / sigma_range)), 1)
    step = ((high - low) / count).clamp(min=1e-12)
    out = torch.zeros_like(x)
    for j in range(count):
        centre = low + j * step
        weight = torch.exp(-((x - centre) ** 2) / sigma_range**2)
        below, above = _blurred(weight, kernel), _blurred(weight * x, kernel)
        some = below.abs() > 1e-20
        mean = torch.where(some, above / torch.where(some, below, 1), 0)
        share = (1 - (x - centre).abs() / step).clamp(min=0)
        if j == count - 1:
            share = torch.where(x > centre, 1, share)
        out = out + share * mean
    return out


def _kernel(x: Tensor, sigma: float) -> Tensor:
    """Factors on rfft2 of the transposed frame, (W, H // 2 + 1)."""
    h, w = x.shape[-2:]
    across = torch.arange(w, device=x.device)
    across = torch.where(across < w / 2, across, w - 1 - across).to(x.dtype)
    down = torch.arange(h // 2 + 1, dtype=x.dtype, device=x.device)
    return torch.exp(-(across[:, None] ** 2 + down**2) / (2 * (w / (2 * sigma)) ** 2))


def _blurred(x: Tensor, kernel: Tensor) -> Tensor:
    turned = x.mT
    return torch.fft.irfft2(torch.fft.rfft2(turned) * kernel, s=turned.shape[-2:]).mT
