"""JPEG 2000 compression of 8-bit code."""

import imagecodecs
import numpy as np
from torch import Tensor

from hdrq.distillation.codecs import coded
from hdrq.distillation.distortion import DistortionCard, distortion


@distortion(
    DistortionCard(
        title="JPEG 2000 (irreversible 9/7 wavelet, OpenJPEG)",
        source="ISO/IEC 15444-1; imagecodecs",
        acts="code",
        amount="target quality of the encoder, dB PSNR",
        levels=(60, 40, 35, 31, 27, 24),
    )
)
def jpeg2000(code: Tensor, quality: float, top: float) -> Tensor:
    def encode(pixels: np.ndarray) -> bytes | bytearray:
        return imagecodecs.jpeg2k_encode(
            pixels, level=round(quality), codecformat="j2k", reversible=False, numthreads=1
        )

    return coded(code, top, encode, imagecodecs.jpeg2k_decode)
