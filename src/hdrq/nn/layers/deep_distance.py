"""Differences of unit-normalised deep features with channel weights, as in LPIPS and ST-LPIPS.

Source  Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018, doi:10.1109/CVPR.2018.00068
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.nn.keys import Rule, constant
from hdrq.nn.net import pattern
from hdrq.nn.network_input import Convention

# added to the norm of a feature vector
_TINY = 1e-10
# The authors shift and scale [-1, 1]; for [0, 1] this equals ImageNet's mean and standard deviation.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
ENTRANCE: tuple[Rule, ...] = tuple(
    constant(f"scaling_layer.{name}", torch.tensor(value).reshape(1, 3, 1, 1))
    for name, value in (("shift", _SHIFT), ("scale", _SCALE))
)


class DeepDistance(nn.Module):
    """A backbone with `stages`, and one weight per channel of each stage."""

    def __init__(self, trunk: Any, widths: Sequence[int]) -> None:
        super().__init__()
        self.intake: Convention = "imagenet"
        self.trunk = trunk
        self.heads = nn.ParameterList(torch.zeros(1, width, 1, 1) for width in widths)

    def maps(self, ref: Tensor, dist: Tensor) -> list[Tensor]:
        """The outputs of all stages, (B, 1, h, w), for (B, 3, H, W) normalised by `intake`."""
        stages = zip(self.heads, self.trunk.stages(ref), self.trunk.stages(dist))
        return [((_unit(a) - _unit(b)).square() * head).sum(1, keepdim=True) for head, a, b in stages]

    def forward(self, ref: Tensor, dist: Tensor) -> Tensor:
        """The distance, (B,): mean over space, sum over stages."""
        return torch.stack([m.mean((1, 2, 3)) for m in self.maps(ref, dist)]).sum(0)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + _TINY)


def witness(net: nn.Module) -> Tensor:
    """The distance of two synthetic inputs."""
    ref, dist = pattern(2, 1, 3, 64, 64).unbind()
    result: Tensor = net(ref * 4 - 2, dist * 4 - 2)[0]
    return result
