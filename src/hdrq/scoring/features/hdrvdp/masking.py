"""What content hides of a difference between two images, band by band.

Bands are those of ops/steerable divided by 2^b, fine to coarse, so that amplitudes compare across them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hdrq.image.filters import box, separable
from hdrq.image.resize import imresize


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
    return averaged(torch.minimum(test.abs(), ref.abs()))


def averaged(activity: Tensor) -> Tensor:
    """Mean over 3x3 pixels; zero outside."""
    return separable(activity, box(3, activity), border="zero")


def hidden(common: list[Tensor], band: int, by: Masking, only: slice = slice(None)) -> Tensor:
    """Sum of weight times activity^q over what masks a band, (N, B, h, w); `only` some orientations."""
    everywhere = common[band]
    active = everywhere[:, only]
    total = by.own * active**by.q
    if by.cross is not None and everywhere.shape[1] > 1:
        total = total + by.cross * (everywhere.sum(1, keepdim=True) - active).clamp(min=0) ** by.q
    if by.near is None:
        return total
    around = torch.zeros_like(active)
    for b in (band - 1, band + 1):
        if 0 <= b < band or band < b < len(common) - 1:  # surprise: the base band masks no other
            same = common[b][:, : everywhere.shape[1]]  # one orientation serves all
            same = same[:, only] if same.shape[1] > 1 else same
            around = around + imresize(same, size=(active.shape[-2], active.shape[-1])).clamp(min=0)
    return total + by.near * around**by.q


def root(x: Tensor) -> Tensor:
    """Square root with gradient 0, not infinity, at 0."""
    some = x > 0
    return torch.where(some, torch.where(some, x, torch.ones_like(x)).sqrt(), torch.zeros_like(x))
