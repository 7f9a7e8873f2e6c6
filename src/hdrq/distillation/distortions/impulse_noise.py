"""Pixel values replaced by black or the highest code (salt and pepper noise)."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="Impulse noise",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="share of the values that are replaced",
        levels=(0, 0.002, 0.006, 0.015, 0.04, 0.1),
        chance=True,
    )
)
def impulse_noise(code: Tensor, share: float, random: torch.Generator, top: float) -> Tensor:
    drawn = torch.rand(code.shape, generator=random).to(code.device)
    code = torch.where(drawn < share / 2, torch.zeros_like(code), code)
    return torch.where(drawn > 1 - share / 2, torch.full_like(code, top), code)
