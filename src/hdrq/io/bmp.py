"""Windows bitmaps, 8 bits of sRGB code a channel."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np

from hdrq.errors import FileError
from hdrq.io.arrange import planes
from hdrq.io.memory import afford
from hdrq.records import Image


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]."""
    from PIL import Image as Pillow
    from PIL.BmpImagePlugin import BmpImageFile

    data = path.read_bytes()
    if len(data) < 30:
        raise FileError(f"{path} is truncated: it ends within its header")
    (size,) = struct.unpack_from("<I", data, 14)
    width, height, _, bits = struct.unpack_from("<HHHH" if size == 12 else "<iiHH", data, 18)
    (packing,) = struct.unpack_from("<I", data, 30) if size > 12 and len(data) >= 34 else (0,)
    run_length = packing in (1, 2)
    afford(path, width, abs(height), 24, least=0 if run_length else width * abs(height) * bits / 8)
    picture: Pillow.Image = BmpImageFile(
        io.BytesIO(data)
    )  # not Image.open, which warns of large ones by itself
    mode = {"1": "L", "L": "L", "RGBA": "RGBA"}.get(picture.mode, "RGB")
    notes: list[str] = []
    pixels = planes(np.asarray(picture.convert(mode)), 255, notes, alpha)
    return Image(pixels, "srgb", bits=8, notes=tuple(notes), path=str(path))
