"""Point spreads of lenses and hands, and pictures seen through them; borders mirror."""

from __future__ import annotations

from math import ceil, cos, radians, sin

import torch
from torch import Tensor

from hdrq.ops.windows import filter2, gaussian, separable


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` pixels, cut at three of them."""
    return separable(x, gaussian(2 * ceil(3 * sigma) + 1, sigma, x), border="symmetric")


def through(x: Tensor, spread: Tensor) -> Tensor:
    """Every channel through one point spread (odd sides) whose sum is made 1."""
    return filter2(x, (spread / spread.sum()).to(x), border="symmetric")


def disk(radius: float, fine: int = 8) -> Tensor:
    """An out-of-focus point: the share of every pixel within `radius`, by fine x fine samples a pixel."""
    reach = ceil(radius - 0.5) if radius > 0.5 else 0
    at = torch.arange((2 * reach + 1) * fine, dtype=torch.float64)
    at = (at + 0.5) / fine - reach - 0.5
    inside = ((at[:, None] ** 2 + at[None] ** 2) <= radius**2).double()
    return torch.nn.functional.avg_pool2d(inside[None, None], fine)[0, 0]


def streak(length: float, degrees: float, fine: int = 8) -> Tensor:
    """A point moved along a straight line of `length` pixels, spread over its neighbours bilinearly."""
    reach = ceil(length / 2) + 1
    steps = max(2, ceil(length * fine))
    along = (torch.arange(steps, dtype=torch.float64) / (steps - 1) - 0.5) * length
    x, y = along * cos(radians(degrees)) + reach, along * sin(radians(degrees)) + reach
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1, dtype=torch.float64)
    for i in (0, 1):
        for j in (0, 1):
            row, column = y.floor().long() + i, x.floor().long() + j
            weight = (1 - (y - row).abs()).clamp(min=0) * (1 - (x - column).abs()).clamp(min=0)
            kernel.index_put_(
                (row.clamp(max=2 * reach), column.clamp(max=2 * reach)), weight, accumulate=True
            )
    return kernel
