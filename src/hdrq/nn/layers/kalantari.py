"""The four convolutions of Kalantari & Ramamoorthi 2017, which read three aligned exposures as code and as light.

Source  ACM TOG 36(4), 2017, doi:10.1145/3072959.3073609
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, merged
from hdrq.nn.net import Net, mix, pattern

# of the kernels
SIDES = (7, 5, 3, 1)
WIDTHS = (100, 100, 50)
REACH = sum(side // 2 for side in SIDES)


class Estimator(nn.Module):
    """(B, 3, 6, H, W), code and light of short, middle and long frame, to `outputs` channels of 0..1."""

    def __init__(self, outputs: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        channels = (18, *widths, outputs)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, side, padding=side // 2) for (a, b), side in zip(pairwise(channels), SIDES)
        )

    def estimate(self, frames: Tensor) -> Tensor:
        """The codes of all frames precede their light, as in the paper's figure."""
        x = torch.cat([frames[:, :, :3].flatten(1, 2), frames[:, :, 3:].flatten(1, 2)], 1)
        for conv in self.convs[:-1]:
            x = F.relu(conv(x))
        return torch.sigmoid(self.convs[-1](x))


def merge(net: Estimator, frames: Tensor, seconds: Tensor) -> Tensor:
    """See `merged`."""
    return merged(net, frames, seconds, REACH)


def merging_net(name: str, build: Callable[..., Estimator], title: str) -> Net:
    """The entry of one of the paper's networks, which merges three aligned frames."""
    return Net(
        name=name,
        source="Kalantari & Ramamoorthi 2017, doi:10.1145/3072959.3073609",
        build=build,
        layouts=(),
        witness=lambda net: mix(net(pattern(1, 3, 6, 20, 28))),
        small={"widths": [4, 4, 4]},
        use=Use("merge", merge, title=title, frames=(3, 3), align="flow"),
    )
