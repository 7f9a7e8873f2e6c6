"""IMQNet: two branches, for noise and blur at full resolution and for content at a fixed small size.

Source  Ponomarenko, Bahnemiri, Egiazarian et al. 2022 (IMQNet). The layer widths are only in figures without
numbers; what the paper specifies is kept (two branches of 11 and 16 blocks, blocks of three sub-branches whose last
convolution has a stride, 7x7 maps, three fully connected layers), the rest was chosen here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.image.resize import imresize
from hdrq.nn.net import Net, pattern
from hdrq.nn.network_input import Convention

# smaller side of the second branch's input, pixels
_SMALL = 292
_CELLS = 7
# blocks, counted from 1, with stride 2
_STRIDED = (2, 4, 6, 8, 10)


class Block(nn.Module):
    """Three parallel chains (1x1-3x3, 1x1-3x3-3x3, 3x3) of convolutions with ReLU; the last ones may have a stride."""

    def __init__(self, entering: int, width: int, stride: int) -> None:
        super().__init__()
        a, b = width // 3, width // 3
        c = width - a - b
        self.chains = nn.ModuleList(
            (
                _chain((entering, a, a), (1, 3), stride),
                _chain((entering, b, b, b), (1, 3, 3), stride),
                _chain((entering, c), (3,), stride),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([chain(x) for chain in self.chains], 1)


def _chain(widths: tuple[int, ...], kernels: tuple[int, ...], stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, (kernel, entering, leaving) in enumerate(zip(kernels, widths, widths[1:])):
        step = stride if number == len(kernels) - 1 else 1
        layers += [nn.Conv2d(entering, leaving, kernel, step, kernel // 2), nn.ReLU()]
    return nn.Sequential(*layers)


def _branch(blocks: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Blocks whose widths follow `widths` after every stride."""
    entering, level, made = 3, 0, []
    for number in range(1, blocks + 1):
        strided = number in _STRIDED
        level = min(level + strided, len(widths) - 1)
        made.append(Block(entering, widths[level], 2 if strided else 1))
        entering = widths[level]
    return nn.Sequential(*made, nn.AdaptiveAvgPool2d(_CELLS))


def _initialise(module: nn.Module) -> None:
    """Weights of variance 2 / fan-in (He et al. 2015, doi:10.1109/ICCV.2015.123), no bias.

    With torch's defaults, a sixth of this variance, nothing of the image is left after 16 blocks without normalisation:
    the answers to two images differ by 1e-8, and the network does not learn.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ImqNet(nn.Module):
    """(B, 3, H, W) code of any size to (B,) predicted MOS; the image is first halved by imresize's bicubic kernel."""

    def __init__(
        self, widths: tuple[int, ...] = (32, 64, 128, 192), hidden: tuple[int, int] = (512, 128)
    ) -> None:
        super().__init__()
        self.intake: Convention = "half"
        self.low, self.high = _branch(11, tuple(widths)), _branch(16, tuple(widths))
        flat = 2 * widths[-1] * _CELLS * _CELLS
        self.head = nn.Sequential(
            nn.Linear(flat, hidden[0]),
            nn.ReLU(),
            nn.Linear(hidden[0], hidden[1]),
            nn.ReLU(),
            nn.Linear(hidden[1], 1),
        )
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        x = imresize(x, 0.5)
        shrink = _SMALL / min(x.shape[-2:])
        small = imresize(x, shrink) if shrink < 1 else F.interpolate(x, scale_factor=shrink, mode="bicubic")
        result: Tensor = self.head(torch.cat([self.low(x).flatten(1), self.high(small).flatten(1)], 1))[:, 0]
        return result


imqnet = Net(
    name="imqnet",
    source="Ponomarenko, Bahnemiri, Egiazarian et al. 2022; layer widths, which are not published, chosen here",
    build=ImqNet,
    layouts=(),
    witness=lambda net: net(pattern(1, 3, 96, 128) * 2 - 1),
    training={"input": "crops", "crop": 256, "batch": 8, "loss": {"mae": 1.0, "pearson": 0.1}},
)
