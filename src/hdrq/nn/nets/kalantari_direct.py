"""Kalantari 2017, direct: three exposures, aligned by optical flow, to light by four convolutions.

Source  Kalantari & Ramamoorthi, ACM TOG 36(4), 2017, doi:10.1145/3072959.3073609, section 3.2; their weights are for MATLAB
"""

from __future__ import annotations

from torch import Tensor

from hdrq.nn.layers.kalantari import WIDTHS, Estimator, merging_net


class Direct(Estimator):
    """(B, 3, 6, H, W) to light (B, 3, H, W), 0..1. widths  channels of the three hidden layers"""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__(3, tuple(widths))

    def forward(self, frames: Tensor) -> Tensor:
        return self.estimate(frames)


kalantari_direct = merging_net("kalantari-direct", Direct, "Kalantari 2017: light by four convolutions")
