"""Resizing by MATLAB's imresize rule, which HDR-VDP, VSI, NIQE, BRISQUE and HDR-VQM are built on."""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Kernel = Literal["bicubic", "bilinear", "nearest"]


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -0.5."""
    a = np.abs(x)
    return np.where(
        a <= 1, 1.5 * a**3 - 2.5 * a**2 + 1, np.where(a <= 2, -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2, 0.0)
    )


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _box(x: np.ndarray) -> np.ndarray:
    return ((x >= -0.5) & (x < 0.5)).astype(float)


KERNELS = {"bicubic": (_cubic, 4.0), "bilinear": (_triangle, 2.0), "nearest": (_box, 1.0)}


@lru_cache(maxsize=256)
def taps(n: int, out: int, scale: float, kernel: Kernel, antialias: bool) -> tuple[np.ndarray, np.ndarray]:
    """(indices, weights), each out x K: the samples every output needs. Edges mirror with the edge repeated."""
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
    parts = []
    for start, stop, weights in _blocks(x.shape[dim], out, scale, kernel, antialias, x.dtype, x.device):
        near = x.narrow(dim, start, stop - start)
        parts.append(weights @ near if dim == -2 else near @ weights.T)
    return torch.cat(parts, dim)


@lru_cache(maxsize=256)
def _blocks(
    n: int,
    out: int,
    scale: float,
    kernel: Kernel,
    antialias: bool,
    dtype: torch.dtype,
    device: torch.device,
    rows: int = 32,
) -> list[tuple[int, int, Tensor]]:
    """Matrices of `rows` outputs each, with the range of input they take: small products stay in cache."""
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

    Give `scale` (the output is ceil(scale * n)) or `size` (h, w). When shrinking, the kernel is
    stretched; weights of each output sample sum to 1; the dimension that shrinks more goes first.
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
