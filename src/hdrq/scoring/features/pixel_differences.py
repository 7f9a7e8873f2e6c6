"""Pixel differences pooled over an image, read once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hdrq.image.filters import strips


def mean_square(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean of (ref - dist)² over channels and pixels, (N,)."""
    return _pool(ref, dist, torch.square)


def mean_absolute(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean of |ref - dist| over channels and pixels, (N,)."""
    return _pool(ref, dist, torch.abs)


def _pool(ref: Tensor, dist: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    n, c, h, w = ref.shape
    sums = [of(ref[..., rows, :] - dist[..., rows, :]).sum((1, 2, 3)) for rows in strips(h, n * c * w, ref)]
    return torch.stack(sums).sum(0) / (c * h * w)
