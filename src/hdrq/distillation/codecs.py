"""Image codecs for 8-bit code: encode and decode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import torch
from torch import Tensor

Coder = Callable[[np.ndarray], bytes | bytearray]
Decoder = Callable[[bytes | bytearray], np.ndarray]


def coded(code: Tensor, top: float, encode: Coder, decode: Decoder) -> Tensor:
    """(N, 1 or 3, H, W) code of 0..top, quantised to 8 bits, encoded and decoded."""
    frames = (code.detach() * (255 / top)).round().clamp(0, 255).to(torch.uint8).cpu()
    out = []
    for frame in frames.permute(0, 2, 3, 1).numpy():
        pixels = np.ascontiguousarray(frame[..., 0] if frame.shape[2] == 1 else frame)
        out.append(torch.from_numpy(np.array(decode(encode(pixels)))).reshape(frame.shape))
    return torch.stack(out).permute(0, 3, 1, 2).to(code) * (top / 255)


def jpeg(code: Tensor, quality: float, top: float = 1.0) -> Tensor:
    """Baseline JPEG of quality 1..100 (libjpeg's scale); chroma at half resolution below 90."""
    sampling: Any = "444" if quality >= 90 else "420"

    def encode(pixels: np.ndarray) -> bytes | bytearray:
        options = {} if pixels.ndim == 2 else {"subsampling": sampling}
        return imagecodecs.jpeg8_encode(pixels, level=max(1, round(quality)), **options)

    return coded(code, top, encode, imagecodecs.jpeg8_decode)
