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
    """The mean, in the memory of the sums. Where nothing was believed it is 0: the caller fills such pixels."""
    mean = above.div_(below.clamp_(min=TINY))
    return mean.exp_() if logarithmic else mean
