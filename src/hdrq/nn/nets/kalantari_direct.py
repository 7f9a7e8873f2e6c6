"""Kalantari 2017, direct: three exposures, aligned by optical flow, to light by four convolutions.

Source  Kalantari & Ramamoorthi, ACM TOG 36(4), 2017, doi:10.1145/3072959.3073609, section 3.2; their weights are for MATLAB
"""

from __future__ import annotations

from torch import Tensor

from hdrq.nn.image_networks import Use, merged
from hdrq.nn.layers.kalantari import REACH, WIDTHS, Estimator
from hdrq.nn.net import Net, mix, pattern


class Direct(Estimator):
    """(B, 3, 6, H, W) to light (B, 3, H, W), 0..1. widths  channels of the three hidden layers"""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__(3, tuple(widths))

    def forward(self, frames: Tensor) -> Tensor:
        return self.estimate(frames)


def merge(net: Direct, frames: Tensor, seconds: Tensor) -> Tensor:
    """See `merged`."""
    return merged(net, frames, seconds, REACH)


kalantari_direct = Net(
    name="kalantari-direct",
    source="Kalantari & Ramamoorthi 2017, doi:10.1145/3072959.3073609",
    build=Direct,
    layouts=(),
    witness=lambda net: mix(net(pattern(1, 3, 6, 20, 28))),
    small={"widths": [4, 4, 4]},
    use=Use(
        "merge",
        merge,
        title="Kalantari 2017: light by four convolutions",
        frames=(3, 3),
        align="flow",
    ),
)
