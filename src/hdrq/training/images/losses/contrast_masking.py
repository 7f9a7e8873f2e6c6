"""Feature contrast masking: contrasts of VGG features of a tone-mapped image against masked ones of the scene."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from hdrq.nn.feature_contrast import encoded, masked_features, mean_difference
from hdrq.training.images.loss import LossCard, loss


@loss(
    LossCard(
        title="Feature contrast masking",
        source="Wang, Chen, Seidel, Myszkowski & Serrano 2022 (SelfTMO), doi:10.1111/cgf.14459; constants as Hans1984/SelfTMO "
        "773521f; features of VGG16 (vgg16-imagenet) instead of VGG19's, whose first layers of each stage it has too",
        needs=("light",),
        coded=False,
        code=True,
        net="vgg16",
        side=lambda options: 2 ** (options["stages"] - 1),
    )
)
def contrast_masking(
    image: Tensor,
    light: Tensor,
    *,
    gamma: float = 0.5,
    beta: float = 1.0,
    stages: Literal[1, 2, 3, 4, 5] = 3,
    net: Any,
) -> Tensor:
    """Mean |M_1(image) - M_gamma(scene)| over the first layers of the first `stages` stages, M of hdrq.nn.feature_contrast.

    image  (N, 3, H, W) code 0..1
    light  linear light in any unit; it is encoded by a mu-law that depends on its median
    """
    scene = masked_features(encoded(light).to(image), net, gamma=gamma, beta=beta, stages=stages)
    return mean_difference(masked_features(image, net, beta=beta, stages=stages), scene)
