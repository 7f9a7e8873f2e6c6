"""Colour beyond nature."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.color import luma


@distortion(
    DistortionCard(
        title="Saturation added",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts are ours",
        acts="code",
        amount="colour difference added, as a share of what is there",
        levels=(0, 0.3, 0.7, 1.3, 2.2, 3.5),
    )
)
def oversaturation(code: Tensor, more: float) -> Tensor:
    y = luma(code)
    return y + (1 + more) * (code - y)
