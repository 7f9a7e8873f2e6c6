"""AVIF of 8-bit code."""

import imagecodecs
import numpy as np
from torch import Tensor

from hdrq.distillation.codecs import coded
from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="AVIF (AV1 still picture)",
        source="AOMedia AV1 Image File Format 1.1; imagecodecs",
        acts="code",
        amount="quality, 0..100 (libavif)",
        levels=(100, 70, 50, 33, 18, 5),
    )
)
def avif(code: Tensor, quality: float, top: float) -> Tensor:
    def encode(pixels: np.ndarray) -> bytes | bytearray:
        colour = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels
        return imagecodecs.avif_encode(colour, level=round(quality), speed=8, numthreads=1)

    def decode(data: bytes | bytearray) -> np.ndarray:
        pixels = imagecodecs.avif_decode(data)
        return pixels if code.shape[1] == 3 else pixels[..., :1]

    return coded(code, top, encode, decode)
