"""Pixel differences pooled over an image, read once, and their decibels."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log10

import torch
from torch import Tensor

from hdrq.image.filters import strips

_AT_ONCE = 1 << 16  # samples whose differences stay in the nearest caches


def mean_square(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean of (ref - dist)² over channels and pixels, (N,)."""
    recording = torch.is_grad_enabled() and (ref.requires_grad or dist.requires_grad)
    if recording or ref.device.type != "cpu":
        return _pool(ref, dist, torch.square)
    return torch.stack([_dot(*pair) for pair in zip(ref.flatten(1), dist.flatten(1))]) / ref[0].numel()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of (a - b)² of (P,), piece by piece through one buffer."""
    buffer = a.new_empty(min(_AT_ONCE, len(a)))
    sums = []
    for x, y in zip(a.split(_AT_ONCE), b.split(_AT_ONCE)):
        away = torch.sub(x, y, out=buffer[: len(x)])
        sums.append(torch.dot(away, away))
    return torch.stack(sums).sum()


def mean_absolute(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean of |ref - dist| over channels and pixels, (N,)."""
    return _pool(ref, dist, torch.abs)


def _pool(ref: Tensor, dist: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    n, c, h, w = ref.shape
    sums = [of(ref[..., rows, :] - dist[..., rows, :]).sum((1, 2, 3)) for rows in strips(h, n * c * w, ref)]
    return torch.stack(sums).sum(0) / (c * h * w)


def decibels(error: Tensor, peak: float = 1.0) -> Tensor:
    """10 log10(peak / error), of any shape; infinite, with a gradient of zero, where there is no error."""
    differs = error > 0
    value = 10 * log10(peak) - 10 * torch.log10(torch.where(differs, error, 1.0))
    return torch.where(differs, value, inf)
