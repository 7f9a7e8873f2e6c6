"""Radiance .hdr."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hdrq.types import Image


def read(path: Path, *, alpha: bool = False) -> Image:
    import imagecodecs

    rgb = imagecodecs.rgbe_decode(path.read_bytes())
    return Image(torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None], "nits", path=str(path))
