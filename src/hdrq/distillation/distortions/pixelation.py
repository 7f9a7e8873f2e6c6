"""Parts of the image replaced by the means of 8x8 cells."""

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion

# pixels
_TILE, _CELL = 32, 8


@distortion(
    DistortionCard(
        title="Local pixelation",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k, whole image); amounts chosen here",
        acts="code",
        amount="share of the tiles of 32x32 pixels that are pixelated",
        levels=(0, 0.05, 0.15, 0.35, 0.65, 1),
        chance=True,
    )
)
def pixelation(code: Tensor, share: float, random: torch.Generator) -> Tensor:
    h, w = code.shape[-2:]
    padded = F.pad(code, (0, -w % _TILE, 0, -h % _TILE), mode="replicate")
    cells = F.interpolate(F.avg_pool2d(padded, _CELL), scale_factor=_CELL)
    rows, columns = padded.shape[-2] // _TILE, padded.shape[-1] // _TILE
    rank = torch.randperm(rows * columns, generator=random).argsort().view(1, 1, rows, columns)
    chosen = (rank < max(1, round(share * rows * columns))).to(code)
    mask = F.interpolate(chosen, scale_factor=_TILE)
    return torch.lerp(padded, cells, mask)[..., :h, :w]
