"""JPEG XR: integers are sRGB code, floats are scRGB light. Source: ITU-T T.832, annex A; IEC 61966-2-2."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from hdrq.errors import FileError
from hdrq.io.arrange import planes
from hdrq.io.memory import afford
from hdrq.records import Image

# cd/m² of 1.0
SCRGB_WHITE = 80.0


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W); floats have the domain "linear", where 1.0 is 80 cd/m²."""
    import imagecodecs

    data = path.read_bytes()
    width, height = _size(path, data)
    afford(path, width, height, 64)
    rows = imagecodecs.jpegxr_decode(data)
    notes: list[str] = []
    if rows.dtype.kind == "f":
        notes.append("scRGB: linear light, 1.0 = 80 cd/m²")
        return Image(
            planes(rows, 1, notes, alpha),
            "linear",
            white_nits=SCRGB_WHITE,
            notes=tuple(notes),
            path=str(path),
        )
    if rows.dtype not in (np.uint8, np.uint16):
        raise FileError(f"{path} holds {rows.dtype}; hdrq reads 8 and 16 bits, half and float")
    most = np.iinfo(rows.dtype).max
    bits = 8 * rows.dtype.itemsize
    return Image(planes(rows, most, notes, alpha), "srgb", bits=bits, notes=tuple(notes), path=str(path))


def _size(path: Path, data: bytes) -> tuple[int, int]:
    """(width, height) from the directory, after checking that the coded image lies within the file."""
    try:
        (start,) = struct.unpack_from("<I", data, 4)
        (count,) = struct.unpack_from("<H", data, start)
        tags = {}
        for i in range(count):
            name, kind, _, value = struct.unpack_from("<HHII", data, start + 2 + 12 * i)
            tags[name] = value & (0xFFFF if kind == 3 else 0xFF if kind == 1 else 0xFFFFFFFF)
        width, height, offset, length = (tags[name] for name in (0xBC80, 0xBC81, 0xBCC0, 0xBCC1))
    except (struct.error, KeyError) as error:
        raise FileError(f"{path} is damaged: its directory cannot be decoded") from error
    if offset + length > len(data) or length < 20 or data[offset : offset + 8] != b"WMPHOTO\0":
        raise FileError(f"{path} is truncated: its image ends beyond it")
    again = struct.unpack_from(">HH" if data[offset + 10] & 0x80 else ">II", data, offset + 12)
    if again != (width - 1, height - 1):
        raise FileError(f"{path} is damaged: its two headers disagree on its size")
    return width, height
