"""Kernels, separable filtering and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.arithmetic import root

# samples per strip: four megabytes of float32
CACHE = 1 << 20


def strips(height: int, row: int, like: Tensor, overlap: int = 0) -> Iterator[slice]:
    """Slices that cover `height` rows of `row` samples in strips of CACHE samples; on an accelerator one slice.

    overlap  rows that neighbouring strips both read; a strip has at least eight times as many rows
    """
    step = max(1, 8 * overlap, CACHE // max(row, 1)) if like.device.type == "cpu" else height
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def joined(parts: Iterator[Tensor], length: int, dim: int = -2) -> Tensor:
    """Strips side by side, (..., length) along `dim`, each copied to its place as it comes."""
    first = next(parts)
    if first.shape[dim] == length:
        return first
    shape = list(first.shape)
    shape[dim] = length
    out, start = first.new_empty(shape), 0
    for part in chain((first,), parts):
        out.narrow(dim, start, part.shape[dim]).copy_(part)
        start += part.shape[dim]
    return out


def by_lines(function: Callable[[Tensor], Tensor], x: Tensor, dim: int) -> Tensor:
    """function(x) for one that treats every line along `dim` (-1 or -2) alone, in strips of lines that stay in the cache.

    Where a gradient is recorded, all lines are one strip.
    """
    across = -2 if dim == -1 else -1
    if x.device.type != "cpu" or (torch.is_grad_enabled() and x.requires_grad):
        return function(x)
    lines = x.shape[across]
    parts = strips(lines, x.numel() // lines, x)
    return joined((function(x.narrow(across, s.start, s.stop - s.start)) for s in parts), lines, across)


def slide(x: Tensor, taps: Sequence[float], dim: int) -> Tensor:
    """Correlate with `taps` along one of the last two dimensions, at positions where all taps lie inside.

    x        (..., H, W)
    returns  the same shape, except that `dim` is shorter by len(taps) - 1
    """
    found: Tensor = _Slide.apply(x, tuple(taps), dim)
    return found


def window(x: Tensor, taps: Sequence[float]) -> Tensor:
    """Filter both directions with the same taps, valid part only: (..., H, W) to (..., H - k + 1, W - k + 1)."""
    return slide(slide(x, taps, -2), taps, -1)


class _Slide(torch.autograd.Function):
    """A linear map whose gradient is the same operation with reversed taps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: tuple[float, ...], dim: int) -> Tensor:
        ctx.taps, ctx.dim = taps, dim
        return _correlate(x, taps, dim)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        edge = len(ctx.taps) - 1
        wide = (edge, edge) if ctx.dim == -1 else (0, 0, edge, edge)
        padded = torch.nn.functional.pad(grads[0], wide)
        return slide(padded, ctx.taps[::-1], ctx.dim), None, None


def _correlate(x: Tensor, taps: tuple[float, ...], dim: int) -> Tensor:
    shape = list(x.shape)
    shape[dim] -= len(taps) - 1
    if shape[dim] <= 0:
        raise ValueError(f"{len(taps)} taps do not fit into {x.shape[dim]} samples")
    out = x.new_empty(shape)
    x, planes = x.reshape(-1, *x.shape[-2:]), out.view(-1, *shape[-2:])
    n, h, w = planes.shape
    if n * w * 16 <= CACHE or x.device.type != "cpu":
        for rows in strips(h, n * w, x):
            _add_shifted(_reach(x, rows, taps, dim), planes[:, rows], taps, dim)
    else:
        for source, target in zip(x, planes):
            for rows in strips(h, w, x):
                _add_shifted(_reach(source, rows, taps, dim), target[rows], taps, dim)
    return out


def _reach(x: Tensor, rows: slice, taps: tuple[float, ...], dim: int) -> Tensor:
    """The input rows that a strip of output rows needs."""
    more = len(taps) - 1 if dim == -2 else 0
    return x[..., rows.start : rows.stop + more, :]


def _add_shifted(x: Tensor, out: Tensor, taps: tuple[float, ...], dim: int) -> None:
    n = out.shape[dim]
    used = [(k, tap) for k, tap in enumerate(taps) if tap != 0] or [(0, 0.0)]
    (first, tap), *rest = used
    torch.mul(x.narrow(dim, first, n), tap, out=out)
    for k, tap in rest:
        out.add_(x.narrow(dim, k, n), alpha=tap)


Border = Literal["valid", "zero", "replicate", "reflect", "symmetric", "circular"]


def gaussian(size: int, sigma: float, like: Tensor) -> Tensor:
    """Sampled 1-D Gaussian of sum 1; its outer product equals MATLAB's fspecial except for values below 2e-16."""
    x = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    g = torch.exp(-0.5 * (x / sigma) ** 2)
    return (g / g.sum()).to(like)


def box(size: int, like: Tensor) -> Tensor:
    """1-D mean of `size` samples."""
    return torch.full((size,), 1 / size, dtype=like.dtype, device=like.device)


def pad(x: Tensor, top: int, bottom: int, left: int, right: int, border: Border) -> Tensor:
    """Pad (N, C, H, W). "symmetric" repeats the edge sample, "reflect" does not; the padding may exceed the image."""
    if border == "valid" or not any((top, bottom, left, right)):
        return x
    if border == "zero":
        return F.pad(x, (left, right, top, bottom))
    if border == "replicate":
        return F.pad(x, (left, right, top, bottom), mode="replicate")
    if border == "reflect" and max(top, bottom) < x.shape[-2] and max(left, right) < x.shape[-1]:
        return F.pad(x, (left, right, top, bottom), mode="reflect")
    rows = _source(x.shape[-2], top, bottom, border, x.device)
    columns = _source(x.shape[-1], left, right, border, x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


def _source(n: int, before: int, after: int, border: str, device: torch.device) -> Tensor:
    """Index into 0..n-1 of every sample of the padded line."""
    i = torch.arange(-before, n + after, device=device)
    if border == "circular":
        return i % n
    if border == "symmetric":
        i = i % (2 * n)
        return torch.where(i < n, i, 2 * n - 1 - i)
    if n == 1:
        return torch.zeros_like(i)
    i = i % (2 * n - 2)
    return torch.where(i < n, i, 2 * n - 2 - i)


def separable(
    x: Tensor, vertical: Tensor, horizontal: Tensor | None = None, border: Border = "valid"
) -> Tensor:
    """Correlate every channel of (N, C, H, W) with an outer product of two 1-D kernels.

    border  how samples outside the image are made; "valid" computes none, so that the result is smaller
    Even kernels are placed as by MATLAB's filter2: with two taps, pixel i uses samples i and i + 1.
    """
    horizontal = vertical if horizontal is None else horizontal
    v, u = vertical.numel(), horizontal.numel()
    if border != "valid":
        x = pad(x, (v - 1) // 2, v // 2, (u - 1) // 2, u // 2, border)
    return slide(slide(x, vertical.tolist(), -2), horizontal.tolist(), -1)


def filter2(x: Tensor, kernel: Tensor, border: Border = "zero") -> Tensor:
    """Correlate every channel of (N, C, H, W) with one 2-D kernel; the size is kept unless border is "valid"."""
    v, u = kernel.shape
    if border != "valid":
        x = pad(x, (v - 1) // 2, v // 2, (u - 1) // 2, u // 2, border)
    return _windows_correlate(x, kernel)


def _windows_correlate(x: Tensor, kernel: Tensor) -> Tensor:
    """Valid part of the correlation. On a CPU, a sum of shifted images is ten times as fast as conv2d of one channel."""
    n, c, h, w = x.shape
    v, u = kernel.shape
    if x.device.type != "cpu":
        x = F.conv2d(x.reshape(n * c, 1, h, w), kernel.to(x).reshape(1, 1, v, u))
        return x.reshape(n, c, h - v + 1, w - u + 1)
    total = x.new_zeros(n, c, h - v + 1, w - u + 1)
    for i, row in enumerate(kernel.tolist()):
        for j, tap in enumerate(row):
            if tap != 0:
                total = total.add_(x[..., i : i + h - v + 1, j : j + w - u + 1], alpha=tap)
    return total


PREWITT = (1 / 3, 1 / 3, 1 / 3)
SCHARR = (3 / 16, 10 / 16, 3 / 16)


def gradient(x: Tensor, smooth: tuple[float, float, float]) -> Tensor:
    """Gradient magnitude of every channel, code per two pixels, same shape; the derivative at magnitude 0 is 0.

    smooth  weights across the direction of the derivative: PREWITT or SCHARR
    """
    x = F.pad(x, (1, 1, 1, 1))
    across = slide(x[..., :-2] - x[..., 2:], smooth, -2)
    down = slide(x[..., :-2, :] - x[..., 2:, :], smooth, -1)
    return root(torch.addcmul(across * across, down, down))
