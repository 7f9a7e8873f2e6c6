"""Oversharpening by an unsharp mask."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.blur import gaussian_blur

# pixels
_SIGMA = 1.5


@distortion(
    DistortionCard(
        title="Sharpening",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="share of the detail (difference from a Gaussian blur of 1.5 pixels) that is added",
        levels=(0, 0.5, 1, 2, 4, 8),
    )
)
def sharpening(code: Tensor, more: float) -> Tensor:
    return code + more * (code - gaussian_blur(code, _SIGMA))
