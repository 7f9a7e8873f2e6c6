"""How far a difference stands above what content and noise hide."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.ops.windows import box, separable


def mutual(test: Tensor, ref: Tensor) -> Tensor:
    """Activity common to both images in a band, averaged over 3x3 pixels; zero outside."""
    least = torch.minimum(test.abs(), ref.abs())
    return separable(least, box(3, least), border="zero")


def signed_power(x: Tensor, exponent: float) -> Tensor:
    return x.sign() * x.abs() ** exponent


def minkowski(x: Tensor, exponent: float) -> Tensor:
    """(mean |x|^e)^(1/e) over the last two dimensions."""
    return (x.abs() ** exponent).mean((-2, -1)) ** (1 / exponent)
