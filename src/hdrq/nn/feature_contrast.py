"""Masked contrasts of the features of VGG16, by which a tone-mapped image is compared with its scene.

Source  Wang, Chen, Seidel, Myszkowski & Serrano 2022 (SelfTMO), doi:10.1111/cgf.14459; constants as Hans1984/SelfTMO 773521f
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import box, gaussian
from hdrq.nn.layers.vgg import STAGES, halve
from hdrq.nn.network_input import scaled_input

# pixels of the windows
_SIDE = 13
# of the Gaussian: the program's 13 taps span ±2.5 deviations of a kernel that is the root of a Gaussian
_DEVIATION = 2.6
_TINY = 1e-7
# mu of the mu-law from the median of light whose mean is 0.5: a med^b + c med^d.
_MU = (8.759, 2.148, 0.1494, -2.067)


def encoded(light: Tensor) -> Tensor:
    """log(1 + mu L) / log(1 + mu) of light scaled to a mean of 0.5, (N, 3, H, W)."""
    scaled = 0.5 * light / light.mean((1, 2, 3), keepdim=True).clamp(min=1e-30)
    middle = scaled.flatten(1).median(1).values.clamp(min=1e-3).view(-1, 1, 1, 1)
    a, b, c, d = _MU
    mu = a * middle**b + c * middle**d
    return (mu * scaled).log1p() / mu.log1p()


def masked_features(
    code: Tensor, net: Any, *, gamma: float = 1.0, beta: float = 1.0, stages: int = 3
) -> list[Tensor]:
    """The masked contrasts of code (N, 3, H, W), 0..1, in the first layers of the first `stages` stages of VGG16.

    gamma  1 for a tone-mapped image; a smaller one, for its scene, raises low contrasts and lowers high ones
    """
    ready = scaled_input(code, net).to(next(net.parameters()).dtype)
    return [masked(features, gamma, beta) for features in first_layers(net, ready, stages)]


def mean_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """The mean over layers of the mean absolute difference of masked contrasts."""
    return torch.stack([(a - b).abs().mean() for a, b in zip(ours, theirs, strict=True)]).mean()


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
    """sign(C) |C|^gamma / (1 + V^beta) of features (N, C, H, W); zeros surround them, as in the program.

    C is the contrast of a feature against its Gaussian neighbourhood, V the coefficient of variation of its 13x13
    neighbourhood. The program leaves out negative C, which the paper keeps; they are kept here.
    """
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
