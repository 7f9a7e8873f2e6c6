"""Sensor noise: Poisson noise of the light and Gaussian read noise."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, normal
from hdrq.image.statistics import mean

# standard deviation of the read noise, electrons
_READ = 3.0


@distortion(
    DistortionCard(
        title="Sensor noise, Poisson and Gaussian",
        source="Hanji, Zhong & Mantiuk, ICCP 2020 (model); amounts chosen here",
        acts="light",
        amount="relative noise of a pixel of mean luminance: 1 / sqrt(photo-electrons)",
        levels=(0, 0.03, 0.06, 0.12, 0.2, 0.35),
        chance=True,
    )
)
def sensor_noise(light: Tensor, relative: float, random: torch.Generator) -> Tensor:
    electrons = 1 / relative**2
    gain = electrons / mean(light).clamp(min=1e-6)
    counted = torch.poisson((light * gain).clamp(max=1e7).cpu().float(), generator=random).to(light)
    return (counted + _READ * normal(light, random)) / gain
