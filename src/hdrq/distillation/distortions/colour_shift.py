"""The green channel displaced against red and blue."""

from math import cos, pi, sin

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, uniform
from hdrq.image.warp import shift


@distortion(
    DistortionCard(
        title="Colour shift",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="displacement of the green channel, pixels, in a random direction",
        levels=(0, 1, 2, 4, 7, 11),
        chance=True,
    )
)
def colour_shift(code: Tensor, pixels: float, random: torch.Generator) -> Tensor:
    if code.shape[1] < 3:
        return code
    angle = uniform(0, 2 * pi, random)
    red, green, blue = code.split(1, 1)
    return torch.cat([red, shift(green, pixels * sin(angle), pixels * cos(angle)), blue], 1)
