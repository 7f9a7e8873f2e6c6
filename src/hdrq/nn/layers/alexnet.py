"""Convolutional layers of AlexNet (torchvision's variant), with the output after every ReLU. doi:10.48550/arXiv.1404.5997"""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename

WIDTHS = (64, 192, 384, 256, 256)
# indices of the convolutions in torchvision's `features`
FEATURES = (0, 3, 6, 8, 10)


class Trunk(nn.Module):
    """Five convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            (
                nn.Conv2d(3, 64, 11, 4, 2),
                nn.Conv2d(64, 192, 5, 1, 2),
                nn.Conv2d(192, 384, 3, 1, 1),
                nn.Conv2d(384, 256, 3, 1, 1),
                nn.Conv2d(256, 256, 3, 1, 1),
            )
        )

    def stages(self, x: Tensor) -> Iterator[Tensor]:
        """The outputs of all convolutions after their ReLU; max pooling precedes the second and third."""
        for number, conv in enumerate(self.convs):
            x = F.relu(conv(F.max_pool2d(x, 3, 2) if number in (1, 2) else x))
            yield x


def torchvision(theirs: str = "features.", ours: str = "trunk.convs.") -> tuple[Rule, ...]:
    """Rules for the convolutions in torchvision's numbering."""
    return tuple(rename(f"{theirs}{i}.{{leaf}}", f"{ours}{k}.{{leaf}}") for k, i in enumerate(FEATURES))


def numbered_by_stage(theirs: str, ours: str = "trunk.convs.") -> tuple[Rule, ...]:
    """The same for names that also number the stages, from 1, as in LPIPS."""
    return tuple(
        rename(f"{theirs}{k + 1}.{i}.{{leaf}}", f"{ours}{k}.{{leaf}}") for k, i in enumerate(FEATURES)
    )
