"""Kernels and separable filtering, shared by every metric that looks through a window."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.ops.sliding import slide

Border = Literal["valid", "zero", "replicate", "reflect", "symmetric", "circular"]


def gaussian(size: int, sigma: float, like: Tensor) -> Tensor:
    """Sampled 1-D Gaussian with sum 1; its outer square is MATLAB's fspecial but for a cut at 2e-16."""
    x = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    g = torch.exp(-0.5 * (x / sigma) ** 2)
    return (g / g.sum()).to(like)


def box(size: int, like: Tensor) -> Tensor:
    """1-D mean of `size` samples."""
    return torch.full((size,), 1 / size, dtype=like.dtype, device=like.device)


def pad(x: Tensor, top: int, bottom: int, left: int, right: int, border: Border) -> Tensor:
    """Extend (N, C, H, W). "symmetric" mirrors with the edge repeated, "reflect" without; any width goes."""
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
    """Index into 0..n-1 of every sample of the extended line."""
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

    border  how samples outside are made; "valid" leaves them out, and the result shrinks.
    Even kernels are placed as MATLAB's filter2 does: pixel i sees i .. i+1 for two taps.
    """
    horizontal = vertical if horizontal is None else horizontal
    v, u = vertical.numel(), horizontal.numel()
    if border != "valid":
        x = pad(x, (v - 1) // 2, v // 2, (u - 1) // 2, u // 2, border)
    return slide(slide(x, vertical.tolist(), -2), horizontal.tolist(), -1)


def filter2(x: Tensor, kernel: Tensor, border: Border = "zero") -> Tensor:
    """Correlate every channel of (N, C, H, W) with one 2-D kernel; same size unless border is "valid"."""
    v, u = kernel.shape
    if border != "valid":
        x = pad(x, (v - 1) // 2, v // 2, (u - 1) // 2, u // 2, border)
    return _correlate(x, kernel)


def _correlate(x: Tensor, kernel: Tensor) -> Tensor:
    """Where the kernel fits inside. On a CPU, sliding pictures beat conv2d of one channel ten times."""
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
