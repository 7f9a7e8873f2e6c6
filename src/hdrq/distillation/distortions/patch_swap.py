"""Small patches replaced by other patches from their neighbourhood, without noise or blur."""

import torch
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion

# pixels
_SIDE, _REACH, _AREA = 16, 16, 256 * 256


@distortion(
    DistortionCard(
        title="Non-eccentricity patches",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="number of 16x16 patches per 256x256 pixels",
        levels=(0, 4, 10, 20, 40, 80),
        chance=True,
    )
)
def patch_swap(code: Tensor, patches: float, random: torch.Generator) -> Tensor:
    h, w = code.shape[-2:]
    out, side = code.clone(), min(_SIDE, h, w)
    for _ in range(max(1, round(patches * h * w / _AREA))):
        down, right, y, x = torch.rand(4, generator=random).tolist()
        top, left = int(y * (h - side + 1)), int(x * (w - side + 1))
        there = min(max(top + round((2 * down - 1) * _REACH), 0), h - side)
        beside = min(max(left + round((2 * right - 1) * _REACH), 0), w - side)
        out[..., top : top + side, left : left + side] = code[
            ..., there : there + side, beside : beside + side
        ]
    return out
