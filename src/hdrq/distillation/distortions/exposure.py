"""Exposure error without clipping."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, sign


@distortion(
    DistortionCard(
        title="Exposure changed",
        source="ours",
        acts="light",
        amount="stops, with random sign",
        levels=(0, 0.2, 0.5, 0.9, 1.5, 2.5),
        chance=True,
    )
)
def exposure(light: Tensor, stops: float, random: torch.Generator) -> Tensor:
    result: Tensor = light * 2.0 ** (sign(random) * stops)
    return result
