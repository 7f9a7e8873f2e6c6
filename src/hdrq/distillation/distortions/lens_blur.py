"""Defocus blur of linear light."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.blur import apply_psf, disk


@distortion(
    DistortionCard(
        title="Lens blur",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="light",
        amount="radius of the circle of confusion, pixels",
        levels=(0, 1, 2, 3.5, 5.5, 8),
    )
)
def lens_blur(light: Tensor, radius: float) -> Tensor:
    return apply_psf(light, disk(radius))
