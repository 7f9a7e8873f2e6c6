"""Powers that stay trainable where calculus does not help."""

from __future__ import annotations

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
