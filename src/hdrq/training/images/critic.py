"""The discriminator of adversarial losses: patches of the image, and of its halves."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

_WIDTHS = (16, 32, 64)
# of the leaky ReLU
_SLOPE = 0.2
# side of the smallest image, pixels
SIDE = 8
# largest number of scales: crops of 1024 pixels
MOST = 8


class PatchCritic(nn.Module):
    """Three 4x4 convolutions with stride 2 and one 3x3, for each patch of 22 pixels (step 8) one number.

    No normalisation over a batch, so that an image's output does not depend on the others.
    Source of the layout: Isola et al. 2017, doi:10.1109/CVPR.2017.632, smaller; of several scales: Wang et al. 2018 (pix2pixHD),
    doi:10.1109/CVPR.2018.00917.

    scales    number of discriminators of this layout: of the image, of its half, and so on
    halvings  of the image before it is read
    """

    def __init__(self, channels: int = 3, scales: int = 1, halvings: int = 0) -> None:
        super().__init__()
        widths = (channels, *_WIDTHS)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.head = nn.Conv2d(_WIDTHS[-1], 1, 3, padding=1)
        self.halvings = halvings
        self.coarser = nn.ModuleList(PatchCritic(channels, halvings=halvings + k) for k in range(1, scales))

    @property
    def scales(self) -> tuple[PatchCritic, ...]:
        """The discriminators, the finest first."""
        return self, *(one for one in self.coarser if isinstance(one, PatchCritic))

    def forward(self, image: Tensor) -> Tensor:
        """(N, C, H, W) to the numbers (N, 1, H/8, W/8) of this scale alone; after the halvings, at least 8 x 8."""
        x = image
        for _ in range(self.halvings):
            x = F.avg_pool2d(x, 2)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _SLOPE)
        scores: Tensor = self.head(x)
        return scores
