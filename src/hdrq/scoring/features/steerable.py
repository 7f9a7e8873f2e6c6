"""The steerable pyramid of spatial filters (Simoncelli & Freeman 1995), multiplied in the Fourier domain.

Bands run from fine to coarse: the high-pass residual (N, 1, H, W), then each level's orientations
(N, B, h, w), then the low-pass rest (N, 1, h, w). Borders mirror without repeating the edge.
Filters: matlabPyrTools' sp0 (1 orientation), sp3 (4) and sp5 (6).
"""

from __future__ import annotations

from functools import lru_cache
from math import pi
from typing import Literal

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from hdrq.image.filters import pad
from hdrq.scoring.features.tables import table

Filters = Literal["sp0", "sp3", "sp5"]
Stage = Literal["top", "level"]
REMEMBERED = 1 << 20  # coefficients; larger transfer functions cost more to keep than to make


def deepest(height: int, width: int, filters: Filters) -> int:
    """How often an image can be halved before the low-pass filter no longer fits."""
    side, taps = min(height, width), table("steerable")[f"{filters}_lo"].shape[-1]
    levels = 0
    while side >= taps:
        side, levels = side // 2, levels + 1
    return levels


def decompose(
    x: Tensor, levels: int, filters: Filters, orientations: tuple[int, ...] | None = None
) -> list[Tensor]:
    """(N, 1, H, W) into levels + 2 bands; of each level only the named orientations, or all.

    The mean is not filtered, so that float32 is precise enough for the smallest bands.
    """
    mean = x.mean((-2, -1), keepdim=True)
    top, down = _bank(filters, "top").sum((-2, -1)), _bank(filters, "level").sum((-2, -1))
    wanted = range(len(down) - 1) if orientations is None else orientations
    high, low = _analyse(x - mean, filters, "top", (0, 1))
    bands, mean = [high + mean * top[0]], mean * top[1]
    for _ in range(levels):
        *parts, low = _analyse(low, filters, "level", (*wanted, -1))
        bands.append(torch.cat([part + mean * down[i] for i, part in zip(wanted, parts)], 1))
        low, mean = low[..., ::2, ::2], mean * down[-1]
    return [*bands, low + mean]


def rebuild(bands: list[Tensor], filters: Filters) -> Tensor:
    """The image (N, 1, H, W) whose bands these are, to 3 %; worse near borders for odd filters (sp3, sp5)."""
    high, *levels, low = bands
    for parts in reversed(levels):
        n, _, h, w = parts.shape
        spread = low.new_zeros(n, 1, h, w)
        spread[..., ::2, ::2] = low
        low = _synthesise([*parts.split(1, 1), spread], filters, "level")
    return _synthesise([high, low], filters, "top")


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


def _analyse(x: Tensor, filters: Filters, stage: Stage, which: tuple[int, ...]) -> list[Tensor]:
    """(N, 1, h, w) correlated with filters of a bank."""
    spectrum, size = _spectrum(x, filters, stage)
    h, w = x.shape[-2:]
    transfers = (_remembered(filters, stage, i, False, size, x) for i in which)
    return [torch.fft.irfft2(spectrum * transfer, s=size)[..., :h, :w] for transfer in transfers]


def _synthesise(parts: list[Tensor], filters: Filters, stage: Stage) -> Tensor:
    """Sum of (N, 1, h, w) parts, each convolved with its filter of a bank."""
    total, size = None, (0, 0)
    for i, part in enumerate(parts):
        spectrum, size = _spectrum(part, filters, stage)
        spectrum = spectrum * _remembered(filters, stage, i, True, size, part)
        total = spectrum if total is None else total + spectrum
    h, w = parts[0].shape[-2:]
    result: Tensor = torch.fft.irfft2(total, s=size)[..., :h, :w]
    return result


def _spectrum(x: Tensor, filters: Filters, stage: Stage) -> tuple[Tensor, tuple[int, int]]:
    """Half spectrum of the mirrored image, and the size it was taken at."""
    reach = _bank(filters, stage).shape[-1] // 2
    x = pad(x, reach, reach, reach, reach, "reflect")
    size = (next_fast_len(x.shape[-2], real=True), next_fast_len(x.shape[-1], real=True))
    return torch.fft.rfft2(x, s=size), size


def _remembered(
    filters: Filters, stage: Stage, which: int, turned: bool, size: tuple[int, int], like: Tensor
) -> Tensor:
    make = _transfer if size[0] * size[1] <= REMEMBERED else _transfer.__wrapped__
    return make(filters, stage, which, turned, size, like.dtype, like.device)


@lru_cache(maxsize=64)
def _transfer(
    filters: Filters,
    stage: Stage,
    which: int,
    turned: bool,
    size: tuple[int, int],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Half spectrum that correlates with a kernel whose first tap lies on the first pixel."""
    taps = torch.from_numpy(_bank(filters, stage)[which])
    taps = taps.flip(-2, -1) if turned else taps
    rows, columns = (_waves(n, len(taps)).to(device, dtype.to_complex()) for n in size)
    return rows @ taps.to(rows) @ columns[: size[1] // 2 + 1].T


def _waves(n: int, taps: int) -> Tensor:
    """exp(2 pi i k t / n), (n, taps)."""
    k, t = (torch.arange(m, dtype=torch.float64) for m in (n, taps))
    angle = torch.outer(k, t) * (2 * pi / n)
    return torch.polar(torch.ones_like(angle), angle)
