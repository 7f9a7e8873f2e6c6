"""A constant added to all code values."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion, sign


@distortion(
    DistortionCard(
        title="Mean shift",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="shift, in SDR whites of code, with random sign",
        levels=(0, 0.03, 0.06, 0.1, 0.16, 0.25),
        chance=True,
    )
)
def mean_shift(code: Tensor, by: float, random: torch.Generator) -> Tensor:
    return code + sign(random) * by
