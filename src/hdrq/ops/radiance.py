"""Sums that become radiance when the last exposure has been added."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

TINY = 2.2204460492503131e-16  # as OpenCV adds to the sum of weights


class Terms(NamedTuple):
    """One frame's share of a weighted mean: Σ above / Σ below, of any shape."""

    above: Tensor
    below: Tensor


def quotient(above: Tensor, below: Tensor, logarithmic: bool = False) -> Tensor:
    """The mean. Where nothing was believed the quotient is 0: the caller fills such pixels."""
    mean = above / below.clamp(min=TINY)
    return mean.exp() if logarithmic else mean
