"""Structure: Pearson's correlation of corresponding patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.color import LUMINANCE, weigh
from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Structure, correlation of 5x5 patches",
        source="Vinker, Huberman-Spiegelglas & Fattal 2021, doi:10.1109/ICCV48922.2021.01439, equation 4",
    )
)
def patch_structure(image: Tensor, target: Tensor, *, side: int = 5, floor: float = 1e-4) -> Tensor:
    """1 - mean correlation of the luminance (or luma) of all side x side patches.

    floor  deviation below which a patch counts as flat, in units of the image; two flat patches have equal structure
    """
    x, y = (weigh(v, LUMINANCE) if v.shape[1] == 3 else v for v in (image, target))
    mx, my = F.avg_pool2d(x, side, 1), F.avg_pool2d(y, side, 1)
    vx = (F.avg_pool2d(x * x, side, 1) - mx * mx).clamp(min=0)
    vy = (F.avg_pool2d(y * y, side, 1) - my * my).clamp(min=0)
    shared = F.avg_pool2d(x * y, side, 1) - mx * my
    return 1 - ((shared + floor**2) / torch.sqrt((vx + floor**2) * (vy + floor**2))).mean()
