"""A sinusoidal grating multiplied with the light, as in vision research."""

from math import cos, pi, sin

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, uniform


@distortion(
    DistortionCard(
        title="Sinusoidal grating",
        source="this project; random frequency, orientation and phase",
        acts="light",
        amount="Michelson contrast; the period is between 4 and 64 pixels",
        levels=(0, 0.02, 0.05, 0.1, 0.2, 0.4),
        chance=True,
    )
)
def grating(light: Tensor, contrast: float, random: torch.Generator) -> Tensor:
    # cycles per pixel
    frequency = 2.0 ** uniform(-6, -2, random)
    angle, phase = uniform(0, pi, random), uniform(0, 2 * pi, random)
    h, w = light.shape[-2:]
    y, x = torch.arange(h).to(light)[:, None], torch.arange(w).to(light)[None]
    wave = torch.sin(2 * pi * frequency * (x * cos(angle) + y * sin(angle)) + phase)
    return light * (1 + contrast * wave)
