"""Angle between the colours of two images."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Cosine distance of colours",
        source="Marnerides, Bashford-Rogers, Hatchett & Debattista 2018 (ExpandNet), doi:10.1111/cgf.13340, equation 3",
    )
)
def colour_cosine(image: Tensor, target: Tensor, *, floor: float = 1e-6) -> Tensor:
    """1 - mean cosine of the angle between the RGB vectors of a pixel.

    floor  smallest length of a vector
    """
    return 1 - F.cosine_similarity(image, target, dim=1, eps=floor).mean()
