"""The discriminator of adversarial losses: a small network that judges overlapping patches of an image."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

_WIDTHS = (16, 32, 64)
_SLOPE = 0.2  # of the leaky ReLU


class PatchCritic(nn.Module):
    """Three 4x4 convolutions with stride 2 and one 3x3, for each patch of 22 pixels (step 8) one number.

    No normalisation over a batch, so that an image's answer does not depend on the others.
    Source of the layout: Isola et al. 2017, doi:10.1109/CVPR.2017.632, smaller.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        widths = (channels, *_WIDTHS)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.head = nn.Conv2d(_WIDTHS[-1], 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W), at least 8 x 8, to (N, 1, H/8, W/8)."""
        x = image
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _SLOPE)
        scores: Tensor = self.head(x)
        return scores
