"""Two-layer HDR compression as in JPEG XT: a tone-mapped JPEG base layer and a JPEG of the logarithmic residual."""

import torch
from torch import Tensor

from hdrq.distillation.codecs import jpeg
from hdrq.distillation.distortion import DistortionCard, distortion
from hdrq.image.statistics import log_mean, luminance
from hdrq.image.transfer import linear_to_srgb, srgb_to_linear

# cd/m², luminance below this is treated as equal to it
_DARK = 0.005
_FLAT = 1e-4


@distortion(
    DistortionCard(
        title="JPEG XT-like, base and logarithmic residual layer",
        source="ISO/IEC 18477-7 (profile C adds the layers in the logarithm); Artusi et al. 2015; "
        "tone curve of the base layer: Reinhard et al. 2002",
        acts="light",
        amount="quality of both layers, 1..100 (libjpeg)",
        levels=(100, 75, 45, 25, 12, 5),
    )
)
def jpegxt(light: Tensor, quality: float) -> Tensor:
    y = luminance(light).clamp(min=_DARK)
    key = 0.18 * y / log_mean(y)
    base = jpeg(linear_to_srgb((light / y * key / (1 + key)).clamp(0, 1)), quality)
    shown = srgb_to_linear(base).clamp(min=_FLAT)
    rest = light.clamp(min=_DARK).log() - shown.log()
    low, high = rest.amin((1, 2, 3), keepdim=True), rest.amax((1, 2, 3), keepdim=True)
    span = (high - low).clamp(min=_FLAT)
    coded = jpeg((rest - low) / span, quality) * span + low
    return torch.exp(coded) * shown
