"""Residual networks of basic or bottleneck blocks, with torchvision's names. doi:10.1109/CVPR.2016.90

The stride of a bottleneck is in its 3x3 convolution, as in torchvision (in the paper: in the first 1x1 convolution).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import rename
from hdrq.nn.net import Layout, Net, classes_by, mix, pattern
from hdrq.nn.network_input import Convention


class Basic(nn.Module):
    """Two 3x3 convolutions."""

    grows = 1

    def __init__(self, entering: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(entering, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(entering, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1 reduction, 3x3, 1x1 expansion to four times the width."""

    grows = 4

    def __init__(self, entering: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(entering, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(entering, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


def _shortcut(entering: int, leaving: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and entering == leaving:
        return None
    return nn.Sequential(nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving))


class ResNet(nn.Module):
    """Stem, four stages, global average pooling and, with classes > 0, a linear classifier `fc`.

    depths   number of blocks per stage: (2, 2, 2, 2) for ResNet-18, (3, 4, 6, 3) for ResNet-50
    """

    def __init__(
        self, block: type[Basic] | type[Bottleneck], depths: tuple[int, ...], classes: int = 1000
    ) -> None:
        super().__init__()
        self.intake: Convention = "imagenet"
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        entering = 64
        for number, depth in enumerate(depths):
            width = 64 * 2**number
            blocks = []
            for i in range(depth):
                blocks.append(block(entering, width, 2 if i == 0 and number > 0 else 1))
                entering = width * block.grows
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        self.stage_names = tuple(f"layer{number + 1}" for number in range(len(depths)))
        self.width = entering
        self.fc = nn.Linear(entering, classes) if classes else None

    def stages(self, x: Tensor) -> Iterator[Tensor]:
        """The outputs of all stages, at 1/4, 1/8, 1/16 and 1/32 of the size."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for name in self.stage_names:
            x = getattr(self, name)(x)
            yield x

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, width): spatial mean of the last stage."""
        *_, last = self.stages(x)
        return last.mean((-2, -1))

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (B, classes), or features without a classifier."""
        y = self.features(x)
        return y if self.fc is None else self.fc(y)


def torchvision_resnet(
    name: str, block: type[Basic] | type[Bottleneck], counts: tuple[int, ...], mark: str
) -> Net:
    """The network with these blocks, and the layout of torchvision and timm.

    mark  a tensor that no other of these networks has
    """

    def build(classes: int = 1000) -> ResNet:
        return ResNet(block, counts, classes)

    same = (rename("{key}", "{key}"),)
    return Net(
        name=name,
        source="He et al. 2016, doi:10.1109/CVPR.2016.90; layers of torchvision",
        build=build,
        layouts=(Layout("torchvision", (mark,), same, classes_by("fc.weight"), encoding="srgb"),),
        witness=lambda net: mix(net(pattern(1, 3, 64, 64) * 4 - 2)),
    )
