"""Colour saturation reduced."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.color import luma


@distortion(
    DistortionCard(
        title="Saturation reduced",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="share of the colour differences that is removed",
        levels=(0, 0.2, 0.4, 0.6, 0.8, 1),
    )
)
def saturation(code: Tensor, lost: float) -> Tensor:
    y = luma(code)
    return y + (1 - lost) * (code - y)
