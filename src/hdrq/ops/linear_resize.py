"""Linear resizing with an anti-aliasing Gaussian, as scikit-image's `resize` of order 1 does it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from hdrq.ops.windows import Border, gaussian, separable

_MIRROR: Border = "reflect"  # without the edge repeated: scikit-image calls it reflect, SciPy mirror


def linear_resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) at (h, w); shrinking by a factor f is preceded by a Gaussian of (f - 1)/2 pixels, cut at four.

    Source: scikit-image 0.25, transform.resize(order=1, mode="reflect", anti_aliasing=True)
    """
    factors = [n / m for n, m in zip(x.shape[-2:], size)]
    v, u = (_taps((f - 1) / 2, x) for f in factors)
    x = separable(x, v, u, border=_MIRROR)
    rows, columns = (_between(int(n), m) for n, m in zip(x.shape[-2:], size))
    return torch.as_tensor(rows).to(x) @ x @ torch.as_tensor(columns).to(x).T


def _taps(sigma: float, like: Tensor) -> Tensor:
    return gaussian(2 * int(4 * sigma + 0.5) + 1, sigma, like) if sigma > 0 else like.new_ones(1)


@lru_cache(maxsize=64)
def _between(n: int, out: int) -> np.ndarray:
    """Matrix (out, n) of linear interpolation at pixel centres, mirrored at the ends."""
    at = (np.arange(out) + 0.5) * n / out - 0.5
    period = max(2 * n - 2, 1)
    low = np.floor(at).astype(int)
    share = at - low
    matrix = np.zeros((out, n))
    for index, weight in ((low, 1 - share), (low + 1, share)):
        index = np.abs(index) % period
        np.add.at(matrix, (np.arange(out), np.where(index < n, index, period - index)), weight)
    return matrix
