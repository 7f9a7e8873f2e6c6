"""Contrast reduced: code moved towards its mean."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.statistics import mean


@distortion(
    DistortionCard(
        title="Contrast reduced",
        source="Lin, Hosu & Saupe, QoMEX 2019, doi:10.1109/QoMEX.2019.8743252 (KADID-10k); amounts chosen here",
        acts="code",
        amount="share of the difference from the mean that is removed",
        levels=(0, 0.12, 0.25, 0.42, 0.6, 0.8),
    )
)
def contrast(code: Tensor, lost: float) -> Tensor:
    return code + lost * (mean(code) - code)
