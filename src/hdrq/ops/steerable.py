"""The steerable pyramid of spatial filters (Simoncelli & Freeman 1995), multiplied in the Fourier domain.

Bands run from fine to coarse: the high-pass residual (N, 1, H, W), then each level's orientations
(N, B, h, w), then the low-pass rest (N, 1, h, w). Borders mirror without repeating the edge.
Filters: matlabPyrTools' sp0 (1 orientation), sp3 (4) and sp5 (6).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from hdrq.ops.tables import table
from hdrq.ops.windows import pad

Filters = Literal["sp0", "sp3", "sp5"]
Stage = Literal["top", "level"]
REMEMBERED = 1 << 22  # coefficients; larger transfer functions cost more to keep than to make


def deepest(height: int, width: int, filters: Filters) -> int:
    """How often a picture can be halved before the low-pass filter no longer fits."""
    side, taps = min(height, width), table("steerable")[f"{filters}_lo"].shape[-1]
    levels = 0
    while side >= taps:
        side, levels = side // 2, levels + 1
    return levels


def decompose(x: Tensor, levels: int, filters: Filters) -> list[Tensor]:
    """(N, 1, H, W) into levels + 2 bands.

    The mean goes round the filters, which makes float32 as good as its smallest bands need.
    """
    mean = x.mean((-2, -1), keepdim=True)
    top, down = _bank(filters, "top"), _bank(filters, "level")
    high, low = _analyse(x - mean, filters, "top").split((1, 1), 1)
    low_gain, rest_gain = top[1].sum(), down[-1].sum()
    bands = [high + mean * top[0].sum()]
    for level in range(levels):
        passed = mean * (low_gain * rest_gain**level)
        parts = _analyse(low, filters, "level")
        gains = torch.as_tensor(down[:-1].sum((-2, -1)), dtype=x.dtype, device=x.device)
        bands.append(parts[:, :-1] + passed * gains[:, None, None])
        low = parts[:, -1:, ::2, ::2]
    return [*bands, low + mean * (low_gain * rest_gain**levels)]


def rebuild(bands: list[Tensor], filters: Filters) -> Tensor:
    """The picture (N, 1, H, W) whose bands these are; exact to the filters' own 1 %."""
    high, *levels, low = bands
    for parts in reversed(levels):
        n, _, h, w = parts.shape
        spread = low.new_zeros(n, 1, h, w)
        spread[..., ::2, ::2] = low
        low = _synthesise(torch.cat([parts, spread], 1), filters, "level")
    return _synthesise(torch.cat([high, low], 1), filters, "top")


@lru_cache
def _bank(filters: Filters, stage: Stage) -> np.ndarray:
    """Filters used together, (B, K, K) float64: high and low pass of the top, or orientations and low pass."""
    taps = table("steerable")
    if stage == "top":
        kernels = [taps[f"{filters}_hi0"], taps[f"{filters}_lo0"]]
    else:
        kernels = [*taps[f"{filters}_bands"], taps[f"{filters}_lo"]]
    size = max(k.shape[-1] for k in kernels)
    return np.stack([np.pad(k, (size - k.shape[-1]) // 2) for k in kernels])


def _analyse(x: Tensor, filters: Filters, stage: Stage) -> Tensor:
    """Correlate (N, 1, h, w) with every filter of a bank: (N, B, h, w)."""
    return _filter(x, filters, stage, fold=False)


def _synthesise(x: Tensor, filters: Filters, stage: Stage) -> Tensor:
    """Convolve channel b of (N, B, h, w) with filter b and add up: (N, 1, h, w)."""
    return _filter(x, filters, stage, fold=True)


def _filter(x: Tensor, filters: Filters, stage: Stage, fold: bool) -> Tensor:
    h, w = x.shape[-2:]
    reach = _bank(filters, stage).shape[-1] // 2
    x = pad(x, reach, reach, reach, reach, "reflect")
    size = (next_fast_len(x.shape[-2], real=True), next_fast_len(x.shape[-1], real=True))
    transfer = _transfer if size[0] * size[1] <= REMEMBERED else _transfer.__wrapped__
    spectrum = torch.fft.rfft2(x, s=size) * transfer(filters, stage, fold, size, x.dtype, x.device)
    if fold:
        spectrum = spectrum.sum(1, keepdim=True)
    return torch.fft.irfft2(spectrum, s=size)[..., :h, :w]


@lru_cache(maxsize=64)
def _transfer(
    filters: Filters,
    stage: Stage,
    turned: bool,
    size: tuple[int, int],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Transfer functions (B, *half spectrum) of kernels whose first tap lies on the first pixel."""
    bank = torch.as_tensor(_bank(filters, stage), dtype=dtype, device=device)
    bank = bank.flip(-2, -1) if turned else bank
    return torch.fft.rfft2(bank, s=size).conj().resolve_conj()
