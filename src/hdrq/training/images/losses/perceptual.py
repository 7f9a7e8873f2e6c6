"""Perceptual loss: difference of the features of VGG16."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.nn.network_input import scaled_input
from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Perceptual loss, features of VGG16",
        source="Johnson, Alahi & Fei-Fei 2016, doi:10.1007/978-3-319-46475-6_43, equation 2; weights vgg16-imagenet",
        code=True,
        net="vgg16",
        side=lambda options: 2 ** (options["stages"] - 1),
    )
)
def perceptual(
    image: Tensor, target: Tensor, *, stages: Literal[1, 2, 3, 4, 5] = 3, power: float = 2.0, net: Any
) -> Tensor:
    """Mean over the first `stages` stages of mean |difference of features|^power after the stage's last ReLU.

    image, target  code 0..1 of three channels; for light name an encoding, "mu:perceptual"
    """
    both = scaled_input(torch.cat([image, target]), net).to(next(net.parameters()).dtype)
    found = []
    for _, features in zip(range(stages), net.trunk.stages(both)):
        a, b = features.chunk(2)
        found.append(((a - b).abs() ** power).mean())
    return torch.stack(found).mean()
