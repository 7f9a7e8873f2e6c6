"""The image mixed with a displaced copy, as from exposures merged without alignment."""

from math import cos, pi, sin

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, uniform
from hdrq.image.warp import shift


@distortion(
    DistortionCard(
        title="Ghosting",
        source="ours",
        acts="light",
        amount="weight of the ghost, which is displaced by 3 to 12 pixels in a random direction",
        levels=(0, 0.04, 0.1, 0.2, 0.33, 0.5),
        chance=True,
    )
)
def ghosting(light: Tensor, share: float, random: torch.Generator) -> Tensor:
    far, angle = uniform(3, 12, random), uniform(0, 2 * pi, random)
    return torch.lerp(light, shift(light, far * sin(angle), far * cos(angle)), share)
