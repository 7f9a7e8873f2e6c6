"""Convolutional layers of SqueezeNet 1.1, with the outputs that LPIPS uses. doi:10.48550/arXiv.1602.07360"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename

WIDTHS = (64, 128, 256, 384, 384, 512, 512)
# (input channels, squeezed channels, channels of each expansion) and index in torchvision's `features`, by stage.
FIRES = (
    ((64, 16, 64, 3), (128, 16, 64, 4)),
    ((128, 32, 128, 6), (256, 32, 128, 7)),
    ((256, 48, 192, 9),),
    ((384, 48, 192, 10),),
    ((384, 64, 256, 11),),
    ((512, 64, 256, 12),),
)
# stages of fire modules that start with max pooling
_POOLED = (0, 1, 2)
# stage of each fire module in LPIPS
_SLICES = {3: 2, 4: 2, 6: 3, 7: 3, 9: 4, 10: 5, 11: 6, 12: 7}


class Fire(nn.Module):
    """1x1 squeeze, then parallel 1x1 and 3x3 expansions."""

    def __init__(self, entering: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(entering, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class Trunk(nn.Module):
    """One convolution and eight fire modules."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, 2)
        self.fires = nn.ModuleList(Fire(*fire[:3]) for stage in FIRES for fire in stage)

    def stages(self, x: Tensor) -> Iterator[Tensor]:
        """Seven outputs, the first after the convolution's ReLU."""
        x = F.relu(self.conv(x))
        yield x
        fire = iter(self.fires)
        for number, stage in enumerate(FIRES):
            if number in _POOLED:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            for _ in stage:
                x = next(fire)(x)
            yield x


def torchvision(theirs: str = "features.", ours: str = "trunk.") -> tuple[Rule, ...]:
    """Rules for the convolutions in torchvision's numbering."""
    return _table({i: f"{theirs}{i}" for i in (0, *_SLICES)}, ours)


def numbered_by_stage(theirs: str, ours: str = "trunk.") -> tuple[Rule, ...]:
    """The same for names that also number the stages, from 1, as in LPIPS."""
    return _table({0: f"{theirs}1.0"} | {i: f"{theirs}{s}.{i}" for i, s in _SLICES.items()}, ours)


def _table(names: dict[int, str], ours: str) -> tuple[Rule, ...]:
    parts = ("squeeze", "expand1x1", "expand3x3")
    first = rename(f"{names[0]}.{{leaf}}", f"{ours}conv.{{leaf}}")
    return first, *(
        rename(f"{names[i]}.{part}.{{leaf}}", f"{ours}fires.{k}.{part}.{{leaf}}")
        for k, i in enumerate(_SLICES)
        for part in parts
    )
