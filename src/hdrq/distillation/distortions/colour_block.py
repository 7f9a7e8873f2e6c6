"""Blocks of one colour, as after transmission errors."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion

# pixels
_SIDE, _AREA = 24, 256 * 256


@distortion(
    DistortionCard(
        title="Blocks of random colour",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="number of 24x24 blocks per 256x256 pixels",
        levels=(0, 1, 2, 4, 7, 12),
        chance=True,
    )
)
def colour_block(code: Tensor, blocks: float, random: torch.Generator) -> Tensor:
    h, w = code.shape[-2:]
    out, side = code.clone(), min(_SIDE, h, w)
    for _ in range(max(1, round(blocks * h * w / _AREA))):
        y, x, *colour = torch.rand(2 + code.shape[1], generator=random).tolist()
        top, left = int(y * (h - side + 1)), int(x * (w - side + 1))
        out[..., top : top + side, left : left + side] = torch.tensor(colour).to(code).view(1, -1, 1, 1)
    return out
