"""Gradient profile: agreement of the gradients of two images along rows and columns."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Gradient profile",
        source="Sarfraz, Seibold, Khalid & Stiefelhagen 2019 (spatial profile loss), arXiv:1908.00274",
        side=lambda options: 2,
    )
)
def gradient_profile(image: Tensor, target: Tensor, *, floor: float = 1e-6) -> Tensor:
    """1 - mean cosine of the rows and of the columns of the horizontal and the vertical gradients, of every channel.

    A row of both images without any gradient counts as equal.

    floor  smallest length of a row of gradients, in units of the image
    """
    found = []
    for dim in (-1, -2):
        a, b = image.diff(dim=dim), target.diff(dim=dim)
        found += [_cosine(a, b, floor), _cosine(a.mT, b.mT, floor)]
    return 1 - torch.stack(found).mean()


def _cosine(a: Tensor, b: Tensor, floor: float) -> Tensor:
    """Mean cosine of corresponding rows (last dimension); (a.b + f²) / (|a| |b| + f²) with soft lengths."""
    length = ((a * a).sum(-1) + floor**2).sqrt() * ((b * b).sum(-1) + floor**2).sqrt()
    return (((a * b).sum(-1) + floor**2) / length).mean()
