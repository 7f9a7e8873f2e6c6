"""Feature contrast masking: contrasts of VGG features of a tone-mapped image against masked ones of the scene."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import box, gaussian
from hdrq.nn.layers.vgg import STAGES, halve
from hdrq.nn.network_input import scaled_input
from hdrq.training.images.loss import LossCard, loss

# pixels of the windows
_SIDE = 13
# of the Gaussian: the program's 13 taps span ±2.5 deviations of a kernel that is the root of a Gaussian
_DEVIATION = 2.6
_TINY = 1e-7
# mu of the mu-law from the median of light whose mean is 0.5: a med^b + c med^d.
_MU = (8.759, 2.148, 0.1494, -2.067)


@loss(
    LossCard(
        title="Feature contrast masking",
        source="Wang, Chen, Seidel, Myszkowski & Serrano 2022 (SelfTMO), doi:10.1111/cgf.14459; constants as Hans1984/SelfTMO "
        "773521f; features of VGG16 (vgg16-imagenet) instead of VGG19's, whose first layers of each stage it has too",
        needs=("light",),
        coded=False,
        net="vgg16",
    )
)
def contrast_masking(
    image: Tensor, light: Tensor, *, gamma: float = 0.5, beta: float = 1.0, stages: int = 3, net: Any
) -> Tensor:
    """Mean |M_1(image) - M_gamma(scene)| over the first layers of the first `stages` stages of the network.

    M_g(F) = sign(C) |C|^g / (1 + V^beta), with the contrast C of a feature against its Gaussian neighbourhood and the
    coefficient of variation V of its 13x13 neighbourhood. The program leaves out negative C, which its text keeps; they
    are kept here.

    image  (N, 3, H, W) code 0..1
    light  linear light in any unit; it is encoded by a mu-law that depends on its median
    """
    both = scaled_input(torch.cat([image, encoded(light).to(image)]), net).to(next(net.parameters()).dtype)
    found = []
    for features in first_layers(net, both, stages):
        shown, scene = features.chunk(2)
        found.append((masked(shown, 1.0, beta) - masked(scene, gamma, beta)).abs().mean())
    return torch.stack(found).mean()


def encoded(light: Tensor) -> Tensor:
    """log(1 + mu L) / log(1 + mu) of light scaled to a mean of 0.5, (N, 3, H, W)."""
    scaled = 0.5 * light / light.mean((1, 2, 3), keepdim=True).clamp(min=1e-30)
    middle = scaled.flatten(1).median(1).values.clamp(min=1e-3).view(-1, 1, 1, 1)
    a, b, c, d = _MU
    mu = a * middle**b + c * middle**d
    return (mu * scaled).log1p() / mu.log1p()


def first_layers(net: Any, x: Tensor, stages: int) -> list[Tensor]:
    """Outputs (after ReLU) of the first convolution of each stage."""
    convs, found = iter(net.trunk.convs), []
    for number, widths in enumerate(STAGES[:stages]):
        x = x if number == 0 else halve(x)
        for k in range(len(widths)):
            x = F.relu(next(convs)(x))
            if k == 0:
                found.append(x)
                if number == stages - 1:
                    return found
    return found


def masked(features: Tensor, gamma: float, beta: float) -> Tensor:
    """The masked contrast of features (N, C, H, W); zeros surround them, as in the program."""
    near = _filtered(features, gaussian(_SIDE, _DEVIATION, features))
    contrast = (features - near) / (near.abs() + _TINY)
    flat = box(_SIDE, features)
    mean, power = _filtered(features, flat), _filtered(features * features, flat)
    variation = ((power - mean * mean).abs() + _TINY).sqrt() / (mean.abs() + _TINY)
    return contrast.sign() * (contrast.abs() + _TINY) ** gamma / (1 + variation**beta)


def _filtered(x: Tensor, taps: Tensor) -> Tensor:
    """Separable filter of every channel, zeros outside."""
    n = x.shape[1]
    row = taps.to(x).view(1, 1, 1, -1).expand(n, 1, 1, -1)
    half = len(taps) // 2
    return F.conv2d(F.conv2d(x, row, padding=(0, half), groups=n), row.mT, padding=(half, 0), groups=n)
