"""Linear motion blur of light, as from camera shake."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, uniform
from hdrq.image.blur import apply_psf, streak


@distortion(
    DistortionCard(
        title="Motion blur",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="light",
        amount="length of the motion, pixels, in a random direction",
        levels=(0, 2, 4, 7, 12, 20),
        chance=True,
    )
)
def motion_blur(light: Tensor, length: float, random: torch.Generator) -> Tensor:
    return apply_psf(light, streak(length, uniform(0, 180, random)))
