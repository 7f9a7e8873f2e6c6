"""PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hdrq.types import Image


def read(path: Path, *, alpha: bool = False) -> Image:
    import imagecodecs

    a = imagecodecs.png_decode(path.read_bytes())
    bits = a.dtype.itemsize * 8
    a = a[..., None] if a.ndim == 2 else a[..., :3]
    pixels = torch.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1)).astype(np.float32)) / (2**bits - 1)
    return Image(pixels[None], "srgb", bits=bits, path=str(path))
