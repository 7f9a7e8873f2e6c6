"""Multiplicative (speckle) noise: standard deviation proportional to the light."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, normal


@distortion(
    DistortionCard(
        title="Multiplicative noise",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="light",
        amount="standard deviation as a share of the light",
        levels=(0, 0.04, 0.08, 0.16, 0.3, 0.5),
        chance=True,
    )
)
def multiplicative_noise(light: Tensor, share: float, random: torch.Generator) -> Tensor:
    return light * (1 + share * normal(light, random))
