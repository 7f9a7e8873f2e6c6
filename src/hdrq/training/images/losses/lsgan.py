"""Least-squares adversarial loss."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.training.images.critic import SIDE
from hdrq.training.images.loss import LossCard, loss


def _critics(made: Tensor, real: Tensor) -> Tensor:
    return (((real - 1) ** 2).mean() + (made**2).mean()) / 2


@loss(
    LossCard(
        title="Least-squares adversarial loss",
        source="Mao et al. 2017, doi:10.1109/ICCV.2017.304, equation 9 (a = 0, b = c = 1); "
        "patches: Isola et al. 2017, doi:10.1109/CVPR.2017.632",
        needs=("critic",),
        critics=_critics,
        side=lambda options: SIDE,
    )
)
def lsgan(image: Tensor, critic: Any) -> Tensor:
    """mean (D(image) - 1)² / 2; the discriminator learns ((D(real) - 1)² + D(image)²) / 2."""
    scores: Tensor = critic(image)
    return ((scores - 1) ** 2).mean() / 2
