"""Photons and electronics: Poisson noise of the light, Gaussian noise of reading it."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, normal
from hdrq.image.statistics import mean

_READ = 3.0  # electrons, standard deviation


@distortion(
    DistortionCard(
        title="Sensor noise, Poisson and Gaussian",
        source="Hanji, Zhong & Mantiuk, ICCP 2020 (model); amounts are ours",
        acts="light",
        amount="relative noise of a pixel of mean light: 1 / sqrt(photo-electrons)",
        levels=(0, 0.03, 0.06, 0.12, 0.2, 0.35),
        chance=True,
    )
)
def sensor_noise(light: Tensor, relative: float, random: torch.Generator) -> Tensor:
    electrons = 1 / relative**2
    gain = electrons / mean(light).clamp(min=1e-6)
    counted = torch.poisson((light * gain).clamp(max=1e7).cpu().float(), generator=random).to(light)
    return (counted + _READ * normal(light, random)) / gain
