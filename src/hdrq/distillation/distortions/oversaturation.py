"""Colour saturation increased."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.color import luma


@distortion(
    DistortionCard(
        title="Saturation increased",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="increase of the colour differences, as a share of them",
        levels=(0, 0.3, 0.7, 1.3, 2.2, 3.5),
    )
)
def oversaturation(code: Tensor, more: float) -> Tensor:
    y = luma(code)
    return y + (1 + more) * (code - y)
