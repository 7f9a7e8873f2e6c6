"""Mean squared difference of images, in linear light or in the code of an encoding."""

from __future__ import annotations

from torch import Tensor

from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Mean squared difference",
        source="in mu-law code: Kalantari & Ramamoorthi 2017, doi:10.1145/3072959.3073609",
    )
)
def l2(image: Tensor, target: Tensor) -> Tensor:
    """mean (image - target)²; "mu:l2", "log10:l2", "pu21:l2" compare code."""
    return ((image - target) ** 2).mean()
