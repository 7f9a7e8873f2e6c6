"""Inception-ResNet-v2, fully convolutional. Source: Szegedy et al., AAAI 2017, doi:10.48550/arXiv.1602.07261"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]
# channels out, kernel, stride, padding
Unit = tuple[int, Size, int, Size]
_BN_EPS = 1e-3
WIDTH = 1536


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, entering: int, unit: Unit) -> None:
        super().__init__()
        width, kernel, stride, padding = unit
        self.conv = nn.Conv2d(entering, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, _BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def one(width: int) -> Unit:
    """A 1x1 convolution."""
    return (width, (1, 1), 1, (0, 0))


def same(width: int, rows: int, columns: int | None = None) -> Unit:
    """A convolution of `rows` x `columns` with zeros around, so that sizes stay."""
    columns = rows if columns is None else columns
    return (width, (rows, columns), 1, (rows // 2, columns // 2))


def valid(width: int, side: int, stride: int = 1) -> Unit:
    """A convolution of `side` x `side` without padding."""
    return (width, (side, side), stride, (0, 0))


class Branches(nn.Module):
    """Parallel chains of convolutions whose outputs are concatenated.

    pool  "mean": the last chain starts with a 3x3 mean; "max": an additional chain is a 3x3 max pooling of
          stride 2; "": neither
    """

    def __init__(self, entering: int, chains: tuple[tuple[Unit, ...], ...], pool: str = "") -> None:
        super().__init__()
        self.branches = nn.ModuleList()
        for chain in chains:
            widths = (entering, *(unit[0] for unit in chain))
            self.branches.append(nn.Sequential(*(Conv(w, unit) for w, unit in zip(widths, chain))))
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        last = len(self.branches) - 1
        smooth = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) if self.pool == "mean" else x
        parts = [branch(smooth if i == last else x) for i, branch in enumerate(self.branches)]
        if self.pool == "max":
            parts.append(F.max_pool2d(x, 3, 2))
        return torch.cat(parts, 1)


class Residual(nn.Module):
    """x + scale · (1x1 convolution of branches), followed by ReLU unless `last`."""

    def __init__(
        self, entering: int, chains: tuple[tuple[Unit, ...], ...], scale: float, last: bool = False
    ) -> None:
        super().__init__()
        self.inner = Branches(entering, chains)
        self.mix = nn.Conv2d(sum(chain[-1][0] for chain in chains), entering, 1)
        self.scale, self.last = scale, last

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.scale * self.mix(self.inner(x))
        return y if self.last else F.relu(y)


_BLOCK35 = ((one(32),), (one(32), same(32, 3)), (one(32), same(48, 3), same(64, 3)))
_BLOCK17 = ((one(192),), (one(128), same(160, 1, 7), same(192, 7, 1)))
_BLOCK8 = ((one(192),), (one(192), same(224, 1, 3), same(256, 3, 1)))


class InceptionResNet(nn.Module):
    """(B, 3, H, W) in [-1, 1] to features (B, 1536, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        stem = (valid(32, 3, 2), valid(32, 3), same(64, 3), one(80), valid(192, 3))
        self.stem = nn.ModuleList(Conv(w, u) for w, u in zip((3, 32, 32, 64, 80), stem))
        self.mixed_5b = Branches(
            192, ((one(96),), (one(48), same(64, 5)), (one(64), same(96, 3), same(96, 3)), (one(64),)), "mean"
        )
        self.blocks_35 = nn.Sequential(*(Residual(320, _BLOCK35, 0.17) for _ in range(10)))
        self.mixed_6a = Branches(
            320, ((valid(384, 3, 2),), (one(256), same(256, 3), valid(384, 3, 2))), "max"
        )
        self.blocks_17 = nn.Sequential(*(Residual(1088, _BLOCK17, 0.10) for _ in range(20)))
        self.mixed_7a = Branches(
            1088,
            (
                (one(256), valid(384, 3, 2)),
                (one(256), valid(288, 3, 2)),
                (one(256), same(288, 3), valid(320, 3, 2)),
            ),
            "max",
        )
        self.blocks_8 = nn.Sequential(*(Residual(2080, _BLOCK8, 0.20) for _ in range(9)))
        self.block_8 = Residual(2080, _BLOCK8, 1.0, last=True)
        self.conv_7b = Conv(2080, one(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        for number, conv in enumerate(self.stem):
            x = conv(x)
            if number in (2, 4):
                x = F.max_pool2d(x, 3, 2)
        x = self.blocks_35(self.mixed_5b(x))
        x = self.blocks_17(self.mixed_6a(x))
        result: Tensor = self.conv_7b(self.block_8(self.blocks_8(self.mixed_7a(x))))
        return result
