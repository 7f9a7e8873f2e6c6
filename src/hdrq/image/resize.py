"""Resizing as MATLAB's imresize, as scikit-image's anti-aliased resize, and by box averages."""

from __future__ import annotations

from math import ceil, floor
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.filters import Border, gaussian, separable, strips

Kernel = Literal["bicubic", "bilinear", "nearest"]


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic kernel with a = -0.5."""
    a = np.abs(x)
    return np.where(
        a <= 1, 1.5 * a**3 - 2.5 * a**2 + 1, np.where(a <= 2, -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2, 0.0)
    )


def _triangle(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.maximum(1 - np.abs(x), 0)
    return result


def _box(x: np.ndarray) -> np.ndarray:
    return ((x >= -0.5) & (x < 0.5)).astype(float)


KERNELS = {"bicubic": (_cubic, 4.0), "bilinear": (_triangle, 2.0), "nearest": (_box, 1.0)}


@cached(256)
def taps(n: int, out: int, scale: float, kernel: Kernel, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """(indices, weights), each out x K: the input samples of every output sample. Borders mirror with the edge repeated."""
    shape, width = KERNELS[kernel]
    stretch = scale if antialias and scale < 1 else 1.0
    width /= stretch
    centre = (np.arange(1, out + 1)) / scale + 0.5 * (1 - 1 / scale)
    left = np.floor(centre - width / 2)
    index = left[:, None] + np.arange(ceil(width) + 2)
    weight = stretch * shape(stretch * (centre[:, None] - index))
    weight /= weight.sum(1, keepdims=True)
    mirror = np.concatenate([np.arange(n), np.arange(n)[::-1]])
    index = mirror[np.mod(index - 1, 2 * n).astype(int)]
    used = np.any(weight != 0, axis=0)
    return index[:, used], weight[:, used]


def _along(x: Tensor, dim: int, out: int, scale: float, kernel: Kernel, antialias: bool) -> Tensor:
    index, _ = taps(x.shape[dim], out, scale, kernel, antialias)
    if index.shape == (x.shape[dim], 1) and (index[:, 0] == np.arange(out)).all():
        return x
    parts, rows = [], (16 if scale < 1 else 32)
    for start, stop, weights in _blocks(x.shape[dim], out, scale, kernel, antialias, x.dtype, x.device, rows):
        near = x.narrow(dim, start, stop - start)
        parts.append(weights @ near if dim == -2 else near @ weights.T)
    return torch.cat(parts, dim)


@cached(256)
def _blocks(
    n: int,
    out: int,
    scale: float,
    kernel: Kernel,
    antialias: bool,
    dtype: torch.dtype,
    device: torch.device,
    rows: int,
) -> list[tuple[int, int, Tensor]]:
    """Matrices of `rows` outputs each, with the input range they read: small products stay in the processor's cache."""
    index, weight = taps(n, out, scale, kernel, antialias)
    found = []
    for top in range(0, out, rows):
        near, shares = index[top : top + rows], weight[top : top + rows]
        start, stop = int(near.min()), int(near.max()) + 1
        matrix = np.zeros((len(near), stop - start))
        np.add.at(matrix, (np.arange(len(near))[:, None], near - start), shares)
        found.append((start, stop, torch.as_tensor(matrix, dtype=dtype, device=device)))
    return found


def imresize(
    x: Tensor,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    kernel: Kernel = "bicubic",
    antialias: bool = True,
) -> Tensor:
    """(N, C, H, W) at another size, as MATLAB's imresize of doubles.

    Give `scale` (the output has ceil(scale * n) samples) or `size` (h, w). For shrinking, the kernel is
    widened; the weights of each output sample sum to 1; the dimension that shrinks more is resized first.
    """
    h, w = x.shape[-2:]
    if size is None:
        if scale is None:
            raise ValueError("give scale or size")
        size, scales = (ceil(scale * h), ceil(scale * w)), (scale, scale)
    else:
        scales = (size[0] / h, size[1] / w)
    for dim in sorted((0, 1), key=lambda d: scales[d]):
        x = _along(x, dim - 2, size[dim], scales[dim], kernel, antialias)
    return x


# the edge is not repeated; scikit-image calls this "reflect", SciPy "mirror"
_MIRROR: Border = "reflect"


def linear_resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) at (h, w); before shrinking by a factor f, a Gaussian of sigma (f - 1)/2 pixels, cut at 4 sigma.

    Source: scikit-image 0.25, transform.resize(order=1, mode="reflect", anti_aliasing=True)
    """
    factors = [n / m for n, m in zip(x.shape[-2:], size)]
    v, u = (_taps((f - 1) / 2, x) for f in factors)
    x = separable(x, v, u, border=_MIRROR)
    rows, columns = (_between(int(n), m) for n, m in zip(x.shape[-2:], size))
    return torch.as_tensor(rows).to(x) @ x @ torch.as_tensor(columns).to(x).T


def _taps(sigma: float, like: Tensor) -> Tensor:
    return gaussian(2 * int(4 * sigma + 0.5) + 1, sigma, like) if sigma > 0 else like.new_ones(1)


@cached(64)
def _between(n: int, out: int) -> np.ndarray:
    """Matrix (out, n) of linear interpolation at pixel centres, mirrored at the borders."""
    at = (np.arange(out) + 0.5) * n / out - 0.5
    period = max(2 * n - 2, 1)
    low = np.floor(at).astype(int)
    share = at - low
    matrix = np.zeros((out, n))
    for index, weight in ((low, 1 - share), (low + 1, share)):
        index = np.abs(index) % period
        np.add.at(matrix, (np.arange(out), np.where(index < n, index, period - index)), weight)
    return matrix


def factor(height: int, width: int) -> int:
    """Downsampling factor round(smaller side / 256), at least 1; halves round up as in MATLAB."""
    return max(1, floor(min(height, width) / 256 + 0.5))


def shrink(x: Tensor, f: int, mirror: bool = False) -> Tensor:
    """Box average and subsampling: (N, C, H, W) to (N, C, ceil(H / f), ceil(W / f)).

    Output pixel i is the mean of input pixels i - (f - 1) // 2 .. i + f // 2, as with conv2(..., 'same') and imfilter.
    mirror  pad by mirroring, edge pixel repeated; otherwise pad with zeros
    """
    if f == 1:
        return x
    count = -(-x.shape[-2] // f)
    row = x.numel() // x.shape[-2]
    # strips whose sums of rows stay in the cache
    parts = [
        _sums(_sums(x, f, -2, mirror, rows), f, -1, mirror, slice(0, -(-x.shape[-1] // f)))
        for rows in strips(count, _SHARE * row, x)
    ]
    return (parts[0] if len(parts) == 1 else torch.cat(parts, -2)).div_(f * f)


# of the cache, for sums of rows beside what they are made of
_SHARE = 8


def _sums(x: Tensor, f: int, dim: int, mirror: bool, part: slice) -> Tensor:
    """Sums of f neighbours at `part` of every f-th position; four times as fast as avg_pool2d on a CPU."""
    n, before = x.shape[dim], (f - 1) // 2
    top = part.start * f
    count = part.stop - part.start

    def at(first: int, stop: int, away: int) -> Tensor:
        """Samples `away` of the positions first .. stop - 1 of the part."""
        index = slice(top + first * f + away, top + (stop - 1) * f + away + 1, f)
        return x[..., index, :] if dim == -2 else x[..., index]

    inside = [a for a in range(-before, f - before) if top + a >= 0 and top + (count - 1) * f + a < n]
    # sample 0 of every position always is
    begin = inside[:2]
    first = at(0, count, begin[0])
    out = (
        first + at(0, count, begin[1])
        if len(begin) == 2
        else first.clone(memory_format=torch.contiguous_format)
    )
    for away in range(-before, f - before):
        last = top + (count - 1) * f + away
        start = int(top + away < 0)
        stop = count - int(last >= n)
        if stop > start and away not in begin:
            out.narrow(dim, start, stop - start).add_(at(start, stop, away))
        if mirror and top + away < 0:
            out.narrow(dim, 0, 1).add_(x.narrow(dim, -away - 1, 1))
        if mirror and last >= n:
            out.narrow(dim, count - 1, 1).add_(x.narrow(dim, 2 * n - 1 - last, 1))
    return out
