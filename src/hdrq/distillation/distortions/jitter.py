"""Every pixel displaced by a small random vector."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.warp import displace


@distortion(
    DistortionCard(
        title="Jitter",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="standard deviation of the displacement, pixels",
        levels=(0, 0.3, 0.6, 1, 1.7, 2.8),
        chance=True,
    )
)
def jitter(code: Tensor, pixels: float, random: torch.Generator) -> Tensor:
    n, _, h, w = code.shape
    return displace(code, pixels * torch.randn(n, 2, h, w, generator=random).to(code))
