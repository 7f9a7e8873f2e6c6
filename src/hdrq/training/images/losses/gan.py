"""Adversarial loss of Goodfellow et al., in the form that does not saturate."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from hdrq.training.images.critic import SIDE
from hdrq.training.images.loss import LossCard, loss


def _critics(made: Tensor, real: Tensor) -> Tensor:
    return F.softplus(-real).mean() + F.softplus(made).mean()


@loss(
    LossCard(
        title="Adversarial loss",
        source="Goodfellow et al. 2014, arXiv:1406.2661, section 3 (non-saturating); "
        "patches: Isola et al. 2017, doi:10.1109/CVPR.2017.632",
        needs=("critic",),
        critics=_critics,
        side=lambda options: SIDE,
    )
)
def gan(image: Tensor, critic: Any) -> Tensor:
    """-mean log sigmoid(D(image)); the discriminator learns -log sigmoid(D(real)) - log(1 - sigmoid(D(image)))."""
    return F.softplus(-critic(image)).mean()
