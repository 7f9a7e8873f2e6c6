"""Structure: Pearson's correlation of corresponding patches."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.color import LUMINANCE, weigh
from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Structure, correlation of 5x5 patches",
        source="Vinker, Huberman-Spiegelglas & Fattal 2021, doi:10.1109/ICCV48922.2021.01439, equation 4; several scales with "
        "equal weights, which in yael-vinker/unpaired_hdr_tmo differ between versions (0.2, 0.4, 0.6; 2, 4, 4)",
        side=lambda options: options["side"] << (options["scales"] - 1),
    )
)
def patch_structure(
    image: Tensor, target: Tensor, *, side: int = 5, floor: float = 1e-4, scales: Literal[1, 2, 3, 4, 5] = 1
) -> Tensor:
    """1 - mean correlation of the luminance (or luma) of all side x side patches.

    floor   deviation below which a patch counts as flat, in units of the image; two flat patches have equal structure
    scales  number of scales whose means are averaged: of the image, of its half, and so on
    """
    x, y = (weigh(v, LUMINANCE) if v.shape[1] == 3 else v for v in (image, target))
    found = [_correlation(x, y, side, floor)]
    for _ in range(scales - 1):
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        found.append(_correlation(x, y, side, floor))
    return 1 - torch.stack(found).mean()


def _correlation(x: Tensor, y: Tensor, side: int, floor: float) -> Tensor:
    """Mean over all patches of (N, 1, H, W)."""
    mx, my = F.avg_pool2d(x, side, 1), F.avg_pool2d(y, side, 1)
    vx = (F.avg_pool2d(x * x, side, 1) - mx * mx).clamp(min=0)
    vy = (F.avg_pool2d(y * y, side, 1) - my * my).clamp(min=0)
    shared = F.avg_pool2d(x * y, side, 1) - mx * my
    return ((shared + floor**2) / torch.sqrt((vx + floor**2) * (vy + floor**2))).mean()
