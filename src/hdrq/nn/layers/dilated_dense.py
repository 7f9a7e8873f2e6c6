"""Parts of attention-guided merging: dilated residual dense blocks, and attention of a frame to the reference.

Source  Yan et al., CVPR 2019, doi:10.1109/CVPR.2019.00185 (AHDRNet)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename

# of leaky ReLU
SLOPE = 0.01


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


class DenseBlocks(nn.ModuleList):
    """Blocks one after the other; the outputs (N, width, H, W) of all of them, joined."""

    def __init__(self, count: int, width: int, layers: int, growth: int) -> None:
        super().__init__(DilatedDense(width, layers, growth) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for block in self:
            x = block(x)
            found.append(x)
        return torch.cat(found, 1)


class Attention(nn.Module):
    """Factors 0..1 on the features of a frame, from those of the frame and of the reference."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.second = nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(self, frame: Tensor, reference: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(torch.cat([frame, reference], 1)), SLOPE)
        return torch.sigmoid(self.second(x))


def dense_rules(count: int) -> tuple[Rule, ...]:
    """Rules for the names of AHDRNet's program, such as RDB1.dense_layers.0.conv.weight, of `blocks`."""
    return tuple(
        rule
        for k in range(count)
        for rule in (
            rename(f"RDB{k + 1}.dense_layers.{{k}}.conv.{{leaf}}", f"blocks.{k}.dense.{{k}}.{{leaf}}"),
            rename(f"RDB{k + 1}.conv_1x1.{{leaf}}", f"blocks.{k}.mix.{{leaf}}"),
        )
    )


def dense_options(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Growth and number of layers of the blocks, from the tensors of AHDRNet's program."""
    layers = {name.split(".")[2] for name in state if name.startswith("RDB1.dense_layers.")}
    return {"growth": state["RDB1.dense_layers.0.conv.weight"].shape[0], "layers": len(layers)}
