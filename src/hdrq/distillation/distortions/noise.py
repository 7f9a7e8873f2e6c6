"""White Gaussian noise added to code."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, normal


@distortion(
    DistortionCard(
        title="Additive white Gaussian noise",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="standard deviation, in SDR whites of code",
        levels=(0, 0.012, 0.025, 0.05, 0.1, 0.2),
        chance=True,
    )
)
def noise(code: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    return code + deviation * normal(code, random)
