"""What a tone-mapped image keeps of a scene's local structure, as TMQI and TMQI-II compare it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.arithmetic import root
from hdrq.image.color import weigh
from hdrq.image.filters import gaussian, pad, window

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01, 10.0
# of luminance, in TMQI-II's program as FFTMI carries it
ROUNDED_WEIGHTS = (0.213, 0.715, 0.072)

Border = Literal["valid", "zero"]


def stretched(light: Tensor) -> Tensor:
    """Light brought to 0 .. 2^32 - 1; as in TMQI the factor is a whole number, the result is not. float64."""
    light = light.double()
    low, high = light.amin((1, 2, 3), keepdim=True), light.amax((1, 2, 3), keepdim=True)
    return (light - low) * ((2**32 - 1) / (high - low).clamp(min=1e-30)).round()


def local(x: Tensor, y: Tensor, border: Border) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(mean of x, deviation of x, deviation of y, covariance) under a Gaussian of 11 x 11 pixels."""
    taps = gaussian(WINDOW, SIGMA, x).tolist()
    mean_x, mean_y, xx, yy, xy = (
        window(pad(z, *(WINDOW // 2,) * 4, border), taps) for z in (x, y, x * x, y * y, x * y)
    )
    return mean_x, root(xx - mean_x**2), root(yy - mean_y**2), xy - mean_x * mean_y


def visibility(contrast: Tensor, threshold: float) -> Tensor:
    """Probability that a contrast is visible: a normal distribution around its threshold, a third of it wide."""
    result: Tensor = torch.special.ndtr(3 * (contrast / threshold - 1))
    return result


def fidelity_map(
    p: Tensor, q: Tensor, deviation_x: Tensor, deviation_y: Tensor, covariance: Tensor
) -> Tensor:
    """Structural fidelity map in (-1, 1]: equal visibility p, q of contrast, and equal structure."""
    visibility = (2 * p * q + C1) / (p * p + q * q + C1)
    return visibility * (covariance + C2) / (deviation_x * deviation_y + C2)


def structure(ref: Tensor, dist: Tensor) -> tuple[Tensor, Tensor]:
    """(value (N,), map) of TMQI-II's structural fidelity, of linear light and code 0..255, RGB or grey.

    Contrast is visible from 6 % of the light (above the scene's darkest) and from 2.6303 codes. A window that is
    as dark as the scene's darkest pixel has no contrast; it does not count, and the map shows 1.
    """
    light, code = stretched(weigh(ref.double(), ROUNDED_WEIGHTS)), weigh(dist.double(), ROUNDED_WEIGHTS)
    mean, x, y, covariance = local(light, code, "valid")
    lit = mean > 0
    one = mean.new_ones(())
    fidelity = fidelity_map(
        visibility(x / mean.where(lit, one), 0.06), visibility(y, 2.6303), x, y, covariance
    ).where(lit, one)
    return (fidelity * lit).sum((1, 2, 3)) / lit.sum((1, 2, 3)).clamp(min=1), fidelity
