"""Scale-invariant difference of the logarithms of two images: light that is known up to a factor only."""

from __future__ import annotations

from torch import Tensor

from hdrq.training.images.loss import LossCard, loss

# of the values whose geometric mean is taken, in units of the image
_SMALLEST = 1e-6


@loss(
    LossCard(
        title="Scale-invariant difference of logarithms",
        source="Eigen, Puhrsch & Fergus 2014, arXiv:1406.2283, equation 1, of colours instead of depth",
        coded=False,
    )
)
def scale_invariant(image: Tensor, target: Tensor, *, floor: float = 0.01) -> Tensor:
    """Mean over the images of the variance of log image - log target over pixels and channels.

    floor  added to both, as a share of their geometric means, so that the darkest pixels, which noise and rounding
           decide, do not dominate
    """
    difference = _relative(image, floor).log() - _relative(target, floor).log()
    return difference.flatten(1).var(1, correction=0).mean()


def _relative(image: Tensor, floor: float) -> Tensor:
    """An image over its geometric mean, and the floor."""
    mean = image.clamp(min=_SMALLEST).log().mean((1, 2, 3), keepdim=True).exp()
    return image.clamp(min=0) / mean + floor
