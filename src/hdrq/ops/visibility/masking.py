"""What content hides of a difference between two images, band by band.

Bands are those of ops/steerable divided by 2^b, fine to coarse, so that amplitudes compare across them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hdrq.ops.resize import imresize
from hdrq.ops.windows import box, separable


class Masking(NamedTuple):
    """Exponents of excitation p and inhibition q; weights of masking by the band itself, by its other
    orientations and by its neighbours in scale (None: no such masking)."""

    p: float
    q: float
    own: float
    cross: float | None
    near: float | None


def mutual(test: Tensor, ref: Tensor) -> Tensor:
    """Activity common to both images in a band, averaged over 3x3 pixels; zero outside."""
    least = torch.minimum(test.abs(), ref.abs())
    return separable(least, box(3, least), border="zero")


def hidden(common: list[Tensor], band: int, by: Masking) -> Tensor:
    """Sum of weight times activity^q over what masks `band`, (N, B, h, w)."""
    active = common[band]
    total = by.own * active**by.q
    if by.cross is not None and active.shape[1] > 1:
        total = total + by.cross * (active.sum(1, keepdim=True) - active).clamp(min=0) ** by.q
    if by.near is None:
        return total
    coarser_counts = band + 1 < len(common) - 1  # surprise: the base band masks no other
    around = _fitted(common[band - 1], active) if band else torch.zeros_like(active)
    if coarser_counts:
        around = around + _fitted(common[band + 1], active)
    return total + by.near * around**by.q


def _fitted(neighbour: Tensor, band: Tensor) -> Tensor:
    """A neighbour's activity at the band's size, orientation by orientation; one orientation serves all."""
    return imresize(neighbour[:, : band.shape[1]], size=(band.shape[-2], band.shape[-1])).clamp(min=0)


def root(x: Tensor) -> Tensor:
    """Square root with gradient 0, not infinity, at 0."""
    some = x > 0
    return torch.where(some, torch.where(some, x, torch.ones_like(x)).sqrt(), torch.zeros_like(x))
