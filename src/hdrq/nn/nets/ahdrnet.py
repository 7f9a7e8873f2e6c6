"""AHDRNet: three exposures with motion merged by attention to the middle one.

Source  Yan, Gong, Shi, van den Hengel, Shen, Reid & Zhang, CVPR 2019, doi:10.1109/CVPR.2019.00185
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, merged
from hdrq.nn.keys import drop, rename
from hdrq.nn.layers.dilated_dense import SLOPE, Attention, DenseBlocks, dense_options, dense_rules
from hdrq.nn.net import Layout, Net, mix, pattern

_BLOCKS = 3


class AhdrNet(nn.Module):
    """(B, 3, 6, H, W), code and light of the short, the middle and the long frame, to light (B, 3, H, W), 0..1.

    width   channels of the features;  growth  channels that a layer of a dense block adds;  layers  of a block
    """

    def __init__(self, width: int = 64, growth: int = 32, layers: int = 6) -> None:
        super().__init__()
        self.encode = nn.Conv2d(6, width, 3, padding=1)
        self.attend_short = Attention(width)
        self.attend_long = Attention(width)
        self.gather = nn.Conv2d(3 * width, width, 3, padding=1)
        self.blocks = DenseBlocks(_BLOCKS, width, layers, growth)
        self.join = nn.Conv2d(_BLOCKS * width, width, 1)
        self.smooth = nn.Conv2d(width, width, 3, padding=1)
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.end = nn.Conv2d(width, 3, 3, padding=1)
        # pixels: farther ones do not influence a pixel
        self.reach = 2 * layers * _BLOCKS + 8

    def forward(self, frames: Tensor) -> Tensor:
        short, middle, long = (F.leaky_relu(self.encode(frames[:, k]), SLOPE) for k in range(3))
        short = short * self.attend_short(short, middle)
        long = long * self.attend_long(long, middle)
        x = self.gather(torch.cat([short, middle, long], 1))
        x = self.smooth(self.join(self.blocks(x)))
        return torch.sigmoid(self.end(self.refine(x + middle)))


def merge(net: AhdrNet, frames: Tensor, seconds: Tensor) -> Tensor:
    """See `merged`."""
    return merged(net, frames, seconds, net.reach)


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {
        "width": state["conv1.weight"].shape[0],
        **dense_options(state),
    }


ahdrnet = Net(
    name="ahdrnet",
    source="Yan et al. 2019, doi:10.1109/CVPR.2019.00185",
    build=AhdrNet,
    layouts=(
        Layout(
            name="ahdrnet",
            marks=("att11.weight", "RDB1.conv_1x1.weight", "GFF_1x1.weight"),
            table=(
                rename("conv1.{leaf}", "encode.{leaf}"),
                rename("att11.{leaf}", "attend_short.first.{leaf}"),
                rename("att12.{leaf}", "attend_short.second.{leaf}"),
                rename("att31.{leaf}", "attend_long.first.{leaf}"),
                rename("att32.{leaf}", "attend_long.second.{leaf}"),
                # the program has these two convolutions and does not use them
                drop("attConv{k}.{leaf}"),
                rename("conv2.{leaf}", "gather.{leaf}"),
                *dense_rules(_BLOCKS),
                rename("GFF_1x1.{leaf}", "join.{leaf}"),
                rename("GFF_3x3.{leaf}", "smooth.{leaf}"),
                rename("conv_up.{leaf}", "refine.{leaf}"),
                rename("conv3.{leaf}", "end.{leaf}"),
            ),
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 6, 24, 32))),
    small={"width": 4, "growth": 4, "layers": 2},
    use=Use(
        "merge",
        merge,
        title="AHDRNet: attention to the middle frame and dilated dense blocks",
        frames=(3, 3),
    ),
)
