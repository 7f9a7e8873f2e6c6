"""Decibels of errors, infinite where there is none, with a gradient of zero there."""

from __future__ import annotations

from math import inf, log10

import torch
from torch import Tensor


def decibels(error: Tensor, peak: float = 1.0) -> Tensor:
    """10 log10(peak / error), of any shape."""
    differs = error > 0
    value = 10 * log10(peak) - 10 * torch.log10(torch.where(differs, error, 1.0))
    return torch.where(differs, value, inf)
