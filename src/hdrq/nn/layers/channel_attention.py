"""Residual channel attention on vectors, as in the quality decoder of VTAMIQ. doi:10.1007/978-3-030-01234-2_18

The authors use 1x1 convolutions over a sequence of length 1, which are linear layers; the
average pooling of channel attention is then the identity.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from hdrq.nn.layers.transformer import DropPath

Activation = Literal["relu", "prelu"]


class ChannelAttention(nn.Module):
    """x · sigmoid(expand(act(squeeze(x))))."""

    def __init__(self, width: int, reduction: int, activation: Activation) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, width // reduction)
        self.activation = nn.PReLU() if activation == "prelu" else nn.ReLU()
        self.expand = nn.Linear(width // reduction, width)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(self.activation(self.squeeze(x))))


class AttentionBlock(nn.Module):
    """x + attention(linear(prelu(x)))."""

    def __init__(self, width: int, reduction: int, activation: Activation) -> None:
        super().__init__()
        self.slope = nn.PReLU()
        self.linear = nn.Linear(width, width)
        self.attention = ChannelAttention(width, reduction, activation)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.attention(self.linear(self.slope(x)))
        return result


class ResidualGroup(nn.Module):
    """x + linear(blocks(x)); in training, the branch is dropped for random samples (stochastic depth)."""

    def __init__(
        self, width: int, blocks: int, reduction: int, activation: Activation, drop_path: float
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(AttentionBlock(width, reduction, activation) for _ in range(blocks)))
        self.linear = nn.Linear(width, width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.drop_path(self.linear(self.blocks(x)))
        return result


class QualityDecoder(nn.Module):
    """Residual groups and one linear layer: (B, width) to the same shape."""

    def __init__(
        self,
        width: int,
        groups: int = 4,
        blocks: int = 4,
        reduction: int = 16,
        activation: Activation = "relu",
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        made = (ResidualGroup(width, blocks, reduction, activation, drop_path) for _ in range(groups))
        self.groups = nn.Sequential(*made)
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear(self.groups(x))
        return result
