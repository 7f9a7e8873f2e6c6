"""Convolutional layers of VGG16, with the outputs of its stages. doi:10.48550/arXiv.1409.1556"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# Index of every convolution in torchvision's `features`.
FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


def halve(x: Tensor) -> Tensor:
    """The largest of 2x2 values, (N, C, H, W) to (N, C, H // 2, W // 2)."""
    return F.max_pool2d(x, 2)


class Trunk(nn.Module):
    """Thirteen 3x3 convolutions in five stages."""

    def __init__(self) -> None:
        super().__init__()
        widths = [3, *(w for stage in STAGES for w in stage)]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))

    def stages(self, x: Tensor, shrink: Callable[[Tensor], Tensor] = halve) -> Iterator[Tensor]:
        """The outputs of all stages after their last ReLU; `shrink` is applied between stages."""
        conv = iter(self.convs)
        for number, widths in enumerate(STAGES):
            x = x if number == 0 else shrink(x)
            for _ in widths:
                x = F.relu(next(conv)(x))
            yield x

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 512, H/32, W/32)."""
        for y in self.stages(x):
            x = y
        return halve(x)


def torchvision(theirs: str = "features.", ours: str = "convs.") -> tuple[Rule, ...]:
    """Rules for the convolutions in torchvision's numbering."""
    return tuple(rename(f"{theirs}{i}.{{leaf}}", f"{ours}{k}.{{leaf}}") for k, i in enumerate(FEATURES))


def numbered_by_stage(theirs: str, ours: str = "trunk.convs.") -> tuple[Rule, ...]:
    """The same for names that also number the five stages from 1, as in LPIPS and DISTS: theirs = "net.slice"."""
    number = [s for s, stage in enumerate(STAGES, 1) for _ in stage]
    pairs = zip(number, FEATURES)
    return tuple(rename(f"{theirs}{s}.{i}.{{leaf}}", f"{ours}{k}.{{leaf}}") for k, (s, i) in enumerate(pairs))


def widths() -> tuple[int, ...]:
    """Number of output channels of each stage."""
    return tuple(stage[-1] for stage in STAGES)
