"""Chroma blurred across edges; luma is unchanged."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.blur import gaussian_blur
from hdrq.image.color import luma


@distortion(
    DistortionCard(
        title="Colour diffusion",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="standard deviation of the blur of colour differences, pixels",
        levels=(0, 1, 3, 6, 9, 14),
    )
)
def colour_diffusion(code: Tensor, sigma: float) -> Tensor:
    y = luma(code)
    return y + gaussian_blur(code - y, sigma)
