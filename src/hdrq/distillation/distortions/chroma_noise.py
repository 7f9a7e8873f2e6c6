"""White noise in the colour differences; luma is unchanged."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, normal
from hdrq.image.color import luma


@distortion(
    DistortionCard(
        title="Chroma noise",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="standard deviation of the colour differences, in SDR whites of code",
        levels=(0, 0.03, 0.06, 0.11, 0.2, 0.35),
        chance=True,
    )
)
def chroma_noise(code: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    grain = normal(code, random)
    return code + deviation * (grain - luma(grain))
