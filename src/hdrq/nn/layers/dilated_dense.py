"""Parts of attention-guided merging: dilated residual dense blocks, and attention of a frame to the reference.

Source  Yan et al., CVPR 2019, doi:10.1109/CVPR.2019.00185 (AHDRNet)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename

SLOPE = 0.01  # of leaky ReLU


class DilatedDense(nn.Module):
    """Dilated 3x3 convolutions that each read all before them, a 1x1 convolution, and the input added."""

    def __init__(self, width: int, layers: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList(
            nn.Conv2d(width + k * growth, growth, 3, padding=2, dilation=2) for k in range(layers)
        )
        self.mix = nn.Conv2d(width + layers * growth, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in self.dense:
            y = torch.cat([y, F.relu(conv(y))], 1)
        result: Tensor = self.mix(y) + x
        return result


class Attention(nn.Module):
    """Factors 0..1 on the features of a frame, from those of the frame and of the reference."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.second = nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(self, frame: Tensor, reference: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(torch.cat([frame, reference], 1)), SLOPE)
        return torch.sigmoid(self.second(x))


def dense_rules(theirs: str, ours: str) -> tuple[Rule, ...]:
    """Rules for the names of AHDRNet's program, such as RDB1.dense_layers.0.conv.weight."""
    return (
        rename(f"{theirs}.dense_layers.{{k}}.conv.{{leaf}}", f"{ours}.dense.{{k}}.{{leaf}}"),
        rename(f"{theirs}.conv_1x1.{{leaf}}", f"{ours}.mix.{{leaf}}"),
    )
