"""Illumination and reflectance of predicted highlights: differences of the smooth logarithm of luminance, and of the rest."""

from __future__ import annotations

from math import ceil

from torch import Tensor

from hdrq.image.color import weigh
from hdrq.image.filters import gaussian, separable
from hdrq.training.images.loss import LossCard, loss

# of luminance, as in the paper
_WEIGHTS = (0.213, 0.715, 0.072)
# added to light below its logarithm
_EPS = 1 / 255
# smallest light of which the logarithm is taken
_LEAST = 1e-6
# deviations that the Gaussian filter reaches: 13 taps for a deviation of 2, as many as in the program
_REACH = 3


@loss(
    LossCard(
        title="Illumination and reflectance of highlights",
        source="Eilertsen et al. 2017 (HDRCNN), doi:10.1145/3130800.3130816, its loss of illumination and reflectance. In "
        "gabrieleilertsen/hdrcnn bedb6c5 the mask is not squared, and the filter's deviation comes to 3.7 pixels",
        needs=("target", "mask"),
        of="predicted",
        coded=False,
    )
)
def illumination_reflectance(
    image: Tensor, target: Tensor, mask: Tensor, *, share: float = 0.5, sigma: float = 2.0
) -> Tensor:
    """share * mean (mask * difference of illumination)² + (1 - share) * mean (mask * difference of reflectance)².

    Illumination is the logarithm of luminance after a Gaussian filter, reflectance the logarithms of the channels minus it.
    The differences are 0 outside the image.

    image   (N, 3, H, W) linear light that the network predicts, everywhere
    mask    (N, 1, H, W) 0..1, the share of it that is used
    share   weight of illumination, lambda of the paper
    sigma   of the filter, pixels
    """
    light = _logarithm(image) - _logarithm(target)
    smooth = _logarithm(weigh(image, _WEIGHTS)) - _logarithm(weigh(target, _WEIGHTS))
    taps = gaussian(2 * ceil(_REACH * sigma) + 1, sigma, smooth)
    illumination = separable(smooth, taps, border="zero")
    reflectance = light - illumination
    return share * ((mask * illumination) ** 2).mean() + (1 - share) * ((mask * reflectance) ** 2).mean()


def _logarithm(light: Tensor) -> Tensor:
    return (light + _EPS).clamp(min=_LEAST).log()
