"""Veiling glare: light scattered in the lens or the eye, over the whole image and near its source."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.blur import gaussian_blur


@distortion(
    DistortionCard(
        title="Veiling glare",
        source="ours",
        acts="light",
        amount="share of the light that is scattered, half of it over the whole image, half within about 8 pixels",
        levels=(0, 0.02, 0.05, 0.1, 0.2, 0.4),
    )
)
def glare(light: Tensor, share: float) -> Tensor:
    everywhere = light.mean((-2, -1), keepdim=True)
    return (1 - share) * light + share / 2 * (everywhere + gaussian_blur(light, 8.0))
