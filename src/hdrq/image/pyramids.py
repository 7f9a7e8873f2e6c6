"""Laplacian pyramid with binomial filters and mirrored borders (the edge sample is not repeated).

Source: Burt & Adelson, IEEE Trans. Communications 1983; gain as in matlabPyrTools (sqrt 2 per direction).
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.filters import pad, slide

TAPS = tuple(sqrt(2) / 16 * b for b in (1, 4, 6, 4, 1))
REACH = len(TAPS) // 2


def laplacian_pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """Split (N, C, H, W) into `levels` bands, fine to coarse; the last is the low-pass residual. Sides halve, rounded up.

    After k halvings the values of the low-pass residual are 2^k times those of the image.
    """
    bands = []
    for _ in range(levels - 1):
        low = _down(x)
        bands.append(x - _up(low, x.shape[-2:]))
        x = low
    return [*bands, x]


def _down(x: Tensor) -> Tensor:
    x = slide(pad(x, REACH, REACH, 0, 0, "reflect"), TAPS, -2)[..., ::2, :]
    return slide(pad(x, 0, 0, REACH, REACH, "reflect"), TAPS, -1)[..., ::2]


def _up(x: Tensor, size: torch.Size) -> Tensor:
    for dim, n in zip((-1, -2), reversed(size)):
        shape = list(x.shape)
        shape[dim] = n
        spread = x.new_zeros(shape)
        spread[(..., slice(None, None, 2)) if dim == -1 else (..., slice(None, None, 2), slice(None))] = x
        reach = (0, 0, REACH, REACH) if dim == -1 else (REACH, REACH, 0, 0)
        x = slide(pad(spread, *reach, "reflect"), TAPS, dim)
    return x


def double(x: Tensor) -> Tensor:
    """Upsample by 2 with linear interpolation, aligned with the finer band of the pyramid."""
    for dim in (-2, -1):
        low, share = _between(x.shape[dim])
        low_index = torch.as_tensor(low, device=x.device)
        shape = [1] * x.dim()
        shape[dim] = len(share)
        part = torch.as_tensor(share, dtype=x.dtype, device=x.device).reshape(shape)
        near = x.index_select(dim, low_index)
        far = x.index_select(dim, (low_index + 1).clamp(max=x.shape[dim] - 1))
        x = near + (far - near) * part
    return x


@cached(64)
def _between(n: int) -> tuple[list[int], list[float]]:
    """For each of 2n output samples: the index of the input sample before it, and the fraction towards the next.

    Wang & Li upsample to 4n - 3 samples, extrapolate linearly to 4n - 1 and keep every second.
    """
    scale = (4 * n - 3) / n
    where = [min(max((2 * j - 0.5) / scale - 0.5, 0.0), n - 1.0) for j in range(2 * n)]
    return [int(p) for p in where], [p - int(p) for p in where]
