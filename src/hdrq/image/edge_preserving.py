"""Edge-preserving smoothing: bilateral filters (exact, bilateral grid, slices in range) and the guided filter."""

from __future__ import annotations

from math import ceil, exp

import torch
from torch import Tensor

from hdrq.image.arithmetic import PIECE, in_place
from hdrq.image.filters import pad

# outer tap of the grid's 3-tap Gaussian, whose sigma is one cell
_SIDE = exp(-0.5)


def bilateral(x: Tensor, sigma_space: float, sigma_range: float, radius: int | None = None) -> Tensor:
    """Exact bilateral filter of (N, 1, H, W), summed over a square window; borders are replicated.

    sigma_space  pixels; sigma_range  in the unit of x; radius  of the window, pixels; None is 2.5 sigma_space

    The cost grows with the area of the window: above about 30 pixels use `bilateral_grid`.
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
    """Bilateral filter on a grid with cells of one sigma in space and range: splat, blur with three taps, slice trilinearly.

    x, guide  (N, 1, H, W); the values of the guide choose the range cell, x is averaged
    origin    value at the centre of the first range cell, at most the minimum of the guide; None takes the minimum

    Source: Paris & Durand 2006, doi:10.1007/11744085_44; Chen, Paris & Durand 2007, doi:10.1145/1276377.1276506
    """
    guide = x if guide is None else guide
    one = _quick_grid if in_place(x) and in_place(guide) else _grid
    return torch.cat([one(a[None], g[None], sigma_space, sigma_range, origin) for a, g in zip(x, guide)])


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


def _quick_grid(
    x: Tensor, guide: Tensor, sigma_space: float, sigma_range: float, origin: float | None
) -> Tensor:
    """As `_grid`, without a gradient, in strips that stay in the processor's cache."""
    h, w = x.shape[-2:]
    x, guide = x[0, 0], guide[0, 0]
    least = guide.min() if origin is None else torch.tensor(origin)
    y, u = torch.arange(h, dtype=x.dtype) / sigma_space, torch.arange(w, dtype=x.dtype) / sigma_space
    deep = ceil(float((guide.max() - least) / sigma_range)) + 3
    tall, wide = ceil(h / sigma_space) + 3, ceil(w / sigma_space) + 3
    size, rows = tall * wide * deep, max(1, PIECE // w)
    strips = [slice(top, top + rows) for top in range(0, h, rows)]
    kind = torch.int32 if size < 2**31 else torch.int64
    row = (_nearest(y)[:, None] + 1).mul(wide * deep).to(kind)
    # one more, as the first cell of the range is empty
    column = ((_nearest(u) + 1) * deep + 1).to(kind)
    total, count, ones = x.new_zeros(size), x.new_zeros(size), x.new_ones(rows * w)
    for at in strips:
        z = (guide[at] - least).div_(sigma_range).add_(0.5)
        cell = z.to(kind).add_(column).add_(row[at]).flatten()
        total.index_add_(0, cell, x[at].flatten())
        count.index_add_(0, cell, ones[: len(cell)])
    mean = _softened_mean(total.view(tall, wide, deep), count.view(tall, wide, deep)).flatten()
    low_y, low_u = (y + 1).floor(), (u + 1).floor()
    share_y, share_u = (y + 1 - low_y)[:, None], u + 1 - low_u
    row, column = (low_y[:, None].to(kind) * (wide * deep)), low_u.to(kind) * deep + 1
    found = x.new_empty((1, 1, h, w))
    for at in strips:
        z = (guide[at] - least).div_(sigma_range)
        low_z = z.to(kind)
        z -= low_z
        corner = low_z.add_(column).add_(row[at]).flatten()
        lines = []
        for offset in (0, deep, wide * deep, wide * deep + deep):
            near, far = (mean.index_select(0, corner + (offset + k)).view_as(z) for k in (0, 1))
            lines.append(near.add_(far.sub_(near).mul_(z)))
        above, below = (a.add_(b.sub_(a).mul_(share_u)) for a, b in (lines[:2], lines[2:]))
        torch.add(above, below.sub_(above).mul_(share_y[at]), out=found[0, 0, at])
    return found


def _softened_mean(total: Tensor, count: Tensor) -> Tensor:
    """total / count of cells (rows, columns, range), softened as by `_soften`; the outermost cells are empty and stay 0."""
    tall, wide, deep = total.shape
    mean = torch.zeros_like(total)
    rows = max(1, PIECE // (wide * deep))
    for top in range(1, tall - 1, rows):
        end = min(top + rows, tall - 1)
        soft = []
        for cells in (total, count):
            part = (cells[top - 1 : end - 1] + cells[top + 1 : end + 1]).mul_(_SIDE).add_(cells[top:end])
            for dim in (1, 2):
                n = part.shape[dim] - 2
                sides = part.narrow(dim, 0, n) + part.narrow(dim, 2, n)
                part.narrow(dim, 1, n).add_(sides, alpha=_SIDE)
            soft.append(part)
        # counts of cells with a neighbour are at least _SIDE³
        mean[top:end] = soft[0].div_(soft[1].clamp_(min=_SIDE**4))
    return mean


def _nearest(x: Tensor) -> Tensor:
    return (x + 0.5).floor().long()


def _soften(cells: Tensor) -> Tensor:
    """Blur with three taps along each of the last three dimensions, zero-padded."""
    for dim in (2, 3, 4):
        n = cells.shape[dim]
        edge = torch.zeros_like(cells.narrow(dim, 0, 1))
        before = torch.cat([edge, cells.narrow(dim, 0, n - 1)], dim)
        after = torch.cat([cells.narrow(dim, 1, n - 1), edge], dim)
        cells = cells + _SIDE * (before + after)
    return cells


def _slice(cells: Tensor, y: Tensor, u: Tensor, z: Tensor, shape: tuple[int, int]) -> Tensor:
    """Trilinear interpolation of the grid at every pixel."""
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


def bilateral_slices(x: Tensor, sigma: float, sigma_range: float) -> Tensor:
    """(N, 1, H, W) smoothed where neighbouring values differ by less than sigma_range.

    Range weights are exp(-d² / sigma_range²). In the frequency domain the kernel is exp(-k² / 2 s²), s = W / (2 sigma) cycles per
    frame in both directions; negative horizontal frequencies are counted from the last sample, one too few, as in the source.
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
    """Factors for rfft2 of the transposed frame, (W, H // 2 + 1)."""
    h, w = x.shape[-2:]
    across = torch.arange(w, device=x.device)
    across = torch.where(across < w / 2, across, w - 1 - across).to(x.dtype)
    down = torch.arange(h // 2 + 1, dtype=x.dtype, device=x.device)
    return torch.exp(-(across[:, None] ** 2 + down**2) / (2 * (w / (2 * sigma)) ** 2))


def _blurred(x: Tensor, kernel: Tensor) -> Tensor:
    turned = x.mT
    result: Tensor = torch.fft.irfft2(torch.fft.rfft2(turned) * kernel, s=turned.shape[-2:]).mT
    return result


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over (2 radius + 1)² pixels, borders mirrored; the cost does not depend on the radius."""
    side = 2 * radius + 1
    for dim in (-2, -1):
        edges = (radius + 1, radius, 0, 0) if dim == -2 else (0, 0, radius + 1, radius)
        sums = pad(x, *edges, "symmetric").double().cumsum(dim)
        n = x.shape[dim]
        x = ((sums.narrow(dim, side, n) - sums.narrow(dim, 0, n)) / side).to(x.dtype)
    return x


def guided_filter(x: Tensor, guide: Tensor, radius: int, smallest: float) -> Tensor:
    """Guided filter; x, guide (N, 1, H, W). Edges of the guide well above sqrt(smallest) are kept, smaller ones smoothed.

    Source: He, Sun & Tang 2010, doi:10.1007/978-3-642-15549-9_1
    """
    mean_g, mean_x = box_mean(guide, radius), box_mean(x, radius)
    variance = (box_mean(guide * guide, radius) - mean_g**2).clamp(min=0)
    shared = box_mean(guide * x, radius) - mean_g * mean_x
    slope = shared / (variance + smallest)
    return box_mean(slope, radius) * guide + box_mean(mean_x - slope * mean_g, radius)
