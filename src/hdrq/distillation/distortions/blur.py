"""Gaussian blur of linear light."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.blur import gaussian_blur


@distortion(
    DistortionCard(
        title="Gaussian blur",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="light",
        amount="standard deviation, pixels",
        levels=(0, 0.5, 1, 1.8, 3, 5),
    )
)
def blur(light: Tensor, sigma: float) -> Tensor:
    return gaussian_blur(light, sigma)
