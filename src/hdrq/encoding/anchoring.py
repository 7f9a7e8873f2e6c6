"""Absolute light of relative light: its geometric mean luminance is set to that of a scene on a reference display."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.statistics import luminance

# cd/m², for the geometric mean of a relative scene: 18 % of the white of ITU-R BT.2408-7, section 2.1, which is 203 cd/m²
ANCHOR_NITS = 0.18 * 203


def anchored(light: Tensor) -> Tensor:
    """Relative light as cd/m²: the geometric mean luminance of each image becomes ANCHOR_NITS."""
    return light * (ANCHOR_NITS / geometric_mean(light))


def geometric_mean(light: Tensor) -> Tensor:
    """Geometric mean luminance of the pixels that are not black, for every image of a batch."""
    y = luminance(light)
    lit = y > 0
    logs = torch.where(lit, y.clamp(min=1e-30).log(), 0.0)
    return (logs.sum((1, 2, 3)) / lit.sum((1, 2, 3)).clamp(min=1)).exp().view(-1, 1, 1, 1)
