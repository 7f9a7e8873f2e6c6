"""How alike two non-negative feature maps are, and means that survive weights of zero."""

from __future__ import annotations

from math import cos, pi

import torch
from torch import Tensor


def similarity(a: Tensor, b: Tensor, c: float) -> Tensor:
    """(2ab + c) / (a² + b² + c): 1 where the features agree."""
    return (2 * a * b + c) / (a * a + b * b + c)


def real_power(x: Tensor, exponent: float) -> Tensor:
    """Real part of x^exponent, as MATLAB takes powers of negative numbers; slope 0 at x = 0."""
    size = x.abs()
    size = torch.where(size > 0, size, 1.0) ** exponent
    return torch.where(x > 0, size, torch.where(x < 0, size * cos(pi * exponent), 0.0))


def weighted_mean(x: Tensor, weight: Tensor) -> Tensor:
    """Over everything but the batch, (N,). Where no pixel weighs anything, all weigh the same."""
    total = weight.flatten(1).sum(1)
    some = total > 0
    mean = (x * weight).flatten(1).sum(1) / torch.where(some, total, 1.0)
    return torch.where(some, mean, x.flatten(1).mean(1))
