"""Highlights clipped, as by the saturation of a sensor or the peak of a display."""

from torch import Tensor

from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.statistics import luminance, quantile


@distortion(
    DistortionCard(
        title="Highlights clipped",
        source="ours",
        acts="light",
        amount="share of the pixels above the clipping luminance, at which the channels are clipped",
        levels=(0, 0.01, 0.04, 0.1, 0.2, 0.4),
    )
)
def clip_highlights(light: Tensor, share: float) -> Tensor:
    return light.minimum(quantile(luminance(light), 1 - share))
