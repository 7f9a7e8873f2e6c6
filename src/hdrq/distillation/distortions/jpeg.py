"""JPEG compression of the image's own code."""

from torch import Tensor

from hdrq.distillation.codecs import jpeg as through_jpeg
from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="JPEG",
        source="ITU-T T.81, libjpeg-turbo by imagecodecs",
        acts="code",
        amount="quality, 1..100 (libjpeg)",
        levels=(100, 75, 45, 25, 12, 5),
    )
)
def jpeg(code: Tensor, quality: float, top: float) -> Tensor:
    return through_jpeg(code, quality, top)
