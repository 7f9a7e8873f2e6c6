"""The bilateral filter: as it is defined, and on a grid of space and range."""

from __future__ import annotations

from math import ceil, exp

import torch
from torch import Tensor

from hdrq.ops.windows import pad

_SIDE = exp(-0.5)  # of the grid's 3-tap Gaussian, one sigma a cell


def bilateral(x: Tensor, sigma_space: float, sigma_range: float, radius: int | None = None) -> Tensor:
    """Exact filter of (N, 1, H, W) by sums over a square window; borders repeat.

    sigma_space  pixels; sigma_range  in the units of x; radius  auto is 2.5 sigma_space

    Cost grows with the window's area: for windows beyond some thirty pixels use `bilateral_grid`.
    """
    reach = radius if radius is not None else max(round(5 * sigma_space), 3) // 2
    h, w = x.shape[-2:]
    wide = pad(x, reach, reach, reach, reach, "replicate")
    total, weight = torch.zeros_like(x), torch.zeros_like(x)
    for i in range(-reach, reach + 1):
        for j in range(-reach, reach + 1):
            near = wide[..., reach + i : reach + i + h, reach + j : reach + j + w]
            share = (-((near - x) ** 2) / (2 * sigma_range**2) - (i * i + j * j) / (2 * sigma_space**2)).exp()
            total = total + share * near
            weight = weight + share
    return total / weight


def bilateral_grid(
    x: Tensor,
    sigma_space: float,
    sigma_range: float,
    guide: Tensor | None = None,
    origin: float | None = None,
) -> Tensor:
    """The filter on cells of one sigma by one sigma: splat, blur by three taps each way, slice trilinearly.

    x, guide  (N, 1, H, W); the guide's values choose the range cell, x is what is averaged
    origin    value in the middle of the first range cell, at most the guide's least, which auto takes

    Source: Paris & Durand 2006, doi:10.1007/11744085_44; Chen, Paris & Durand 2007, doi:10.1145/1276377.1276506
    """
    guide = x if guide is None else guide
    return torch.cat([_grid(a[None], g[None], sigma_space, sigma_range, origin) for a, g in zip(x, guide)])


def _grid(x: Tensor, guide: Tensor, sigma_space: float, sigma_range: float, origin: float | None) -> Tensor:
    h, w = x.shape[-2:]
    z = (guide[0, 0] - (guide.min() if origin is None else origin)) / sigma_range
    y = torch.arange(h, device=x.device, dtype=x.dtype) / sigma_space
    u = torch.arange(w, device=x.device, dtype=x.dtype) / sigma_space
    deep = ceil(float(z.detach().max())) + 3
    tall, wide = ceil(h / sigma_space) + 3, ceil(w / sigma_space) + 3
    row = (_nearest(y) + 1)[:, None] * (wide * deep)
    column = (_nearest(u) + 1)[None] * deep
    cell = (row + column + _nearest(z.detach()) + 1).flatten()
    size = tall * wide * deep
    total = x.new_zeros(size).index_add(0, cell, x.flatten()).view(1, 1, tall, wide, deep)
    count = x.new_zeros(size).index_add(0, cell, torch.ones_like(x).flatten()).view(1, 1, tall, wide, deep)
    total, count = _soften(total), _soften(count)
    mean = (total / torch.where(count > 0, count, 1.0)).flatten()
    return _slice(mean, y + 1, u + 1, z + 1, (wide, deep)).view(1, 1, h, w)


def _nearest(x: Tensor) -> Tensor:
    return (x + 0.5).floor().long()


def _soften(cells: Tensor) -> Tensor:
    """Three taps along each of the last three dimensions; nothing outside."""
    for dim in (2, 3, 4):
        n = cells.shape[dim]
        edge = torch.zeros_like(cells.narrow(dim, 0, 1))
        before = torch.cat([edge, cells.narrow(dim, 0, n - 1)], dim)
        after = torch.cat([cells.narrow(dim, 1, n - 1), edge], dim)
        cells = cells + _SIDE * (before + after)
    return cells


def _slice(cells: Tensor, y: Tensor, u: Tensor, z: Tensor, shape: tuple[int, int]) -> Tensor:
    """Straight lines between cells in three directions, at every pixel."""
    wide, deep = shape
    low_y, low_u, low_z = y.floor().long(), u.floor().long(), z.detach().floor().long()
    share_y, share_u, share_z = (y - low_y)[:, None], (u - low_u)[None], z - low_z
    found = torch.zeros_like(z)
    for a in (0, 1):
        for b in (0, 1):
            start = ((low_y + a)[:, None] * wide + (low_u + b)[None]) * deep + low_z
            line = cells[start] * (1 - share_z) + cells[start + 1] * share_z
            weight = (share_y if a else 1 - share_y) * (share_u if b else 1 - share_u)
            found = found + line * weight
    return found
