"""Contrast gained: code driven away from its mean, into black and white."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.statistics import mean


@distortion(
    DistortionCard(
        title="Contrast added",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts are ours",
        acts="code",
        amount="difference from the mean that is added, as a share of what is there",
        levels=(0, 0.15, 0.35, 0.7, 1.3, 2.5),
    )
)
def overcontrast(code: Tensor, more: float) -> Tensor:
    return code + more * (code - mean(code))
