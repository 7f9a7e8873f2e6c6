"""Kalantari 2017, weight estimator: the weights with which the light of three aligned exposures is averaged.

Source  Kalantari & Ramamoorthi, ACM TOG 36(4), 2017, doi:10.1145/3072959.3073609, section 3.2; their weights are for MATLAB
"""

from __future__ import annotations

from torch import Tensor

from hdrq.nn.layers.kalantari import WIDTHS, Estimator, merging_net


class Weighted(Estimator):
    """(B, 3, 6, H, W) to light (B, 3, H, W): Σ w·light / Σ w. widths  channels of the three hidden layers"""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__(9, tuple(widths))

    def forward(self, frames: Tensor) -> Tensor:
        weights = self.estimate(frames).unflatten(1, (3, 3)) + 1e-6
        light: Tensor = (weights * frames[:, :, 3:]).sum(1) / weights.sum(1)
        return light


kalantari_weight = merging_net(
    "kalantari-weight", Weighted, "Kalantari 2017: weights of the frames by four convolutions"
)
