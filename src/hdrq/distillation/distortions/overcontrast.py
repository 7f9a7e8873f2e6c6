"""Contrast increased: code moved away from its mean, with clipping at black and white."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.statistics import mean


@distortion(
    DistortionCard(
        title="Contrast increased",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="increase of the difference from the mean, as a share of it",
        levels=(0, 0.15, 0.35, 0.7, 1.3, 2.5),
    )
)
def overcontrast(code: Tensor, more: float) -> Tensor:
    return code + more * (code - mean(code))
