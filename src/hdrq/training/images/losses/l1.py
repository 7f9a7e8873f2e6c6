"""Mean absolute difference of images, in linear light or in the code of an encoding."""

from __future__ import annotations

from torch import Tensor

from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Mean absolute difference",
        source="in mu-law code: Kalantari & Ramamoorthi 2017, doi:10.1145/3072959.3073609; Yan et al. 2019 (AHDRNet)",
    )
)
def l1(image: Tensor, target: Tensor) -> Tensor:
    """mean |image - target|; "mu:l1", "log10:l1", "pu21:l1" compare code."""
    return (image - target).abs().mean()
