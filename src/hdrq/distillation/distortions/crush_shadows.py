"""Shadows crushed: an offset is subtracted from the light, and the maximum is kept."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.statistics import brightest, luminance, quantile


@distortion(
    DistortionCard(
        title="Shadows crushed",
        source="ours",
        acts="light",
        amount="share of the pixels whose luminance becomes black",
        levels=(0, 0.03, 0.08, 0.16, 0.3, 0.5),
    )
)
def crush_shadows(light: Tensor, share: float) -> Tensor:
    black, top = quantile(luminance(light), share), brightest(light)
    return (light - black).clamp(min=0) * (top / (top - black).clamp(min=1e-6))
