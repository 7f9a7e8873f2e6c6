"""WebP, GIF and JPEG 2000, decoded by imageio. JPEG 2000 of more than 8 bits keeps its depth.

Source: RFC 9649; GIF89a; ITU-T T.800 (codestream and JP2 boxes).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import FileError
from hdrq.io import exif, icc
from hdrq.io.arrange import orient, planes
from hdrq.io.color import Meaning
from hdrq.io.isobmff import boxes
from hdrq.io.memory import afford
from hdrq.records import Image


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]; the first frame of an animation."""
    import imageio.v3 as iio

    data = path.read_bytes()
    notes: list[str] = []
    j2k = data[:4] == b"\xff\x4f\xff\x51" or data[4:8] == b"jP  "
    try:
        file = iio.imopen(path, "r", plugin="pillow")
    except Exception as error:  # imageio only reports that its plugin cannot open the file
        raise FileError(f"{path} is damaged: its header cannot be decoded") from error
    with file:
        properties = file.properties(index=0)
        height, width = properties.shape[:2]
        afford(path, width, height, 40)
        bits, rows = _j2k(path, data) if j2k else (8, None)
        if rows is None:
            rows = file.read(index=0)
        about: dict[str, Any] = file.metadata(index=0, exclude_applied=False)
        count = 1 if j2k else file.properties(index=...).n_images or 1  # type: ignore[arg-type]
    if count > 1:
        notes.append(f"animation: first of {count} frames read")
    profile = about.get("icc_profile")
    meaning = icc.understand(profile, notes) if isinstance(profile, bytes) and profile else Meaning()
    most = 2.0**bits - 1 if rows.dtype != np.uint8 else 255
    pixels = meaning.apply(planes(rows, most, notes, alpha))
    coded = about.get("exif")
    if isinstance(coded, bytes):
        pixels = orient(pixels, exif.orientation(coded.removeprefix(b"Exif\0\0")), notes)
    return Image(pixels, meaning.domain, meaning.primaries, bits, notes=tuple(notes), path=str(path))


def _j2k(path: Path, data: bytes) -> tuple[int, np.ndarray | None]:
    """(bits, pixels) of JPEG 2000 with more than 8 bits, which Pillow would reduce; (8, None) for others."""
    stream = data
    if data[:4] != b"\xff\x4f\xff\x51":
        stream = next((data[a:b] for kind, a, b in boxes(path, data, 0, len(data)) if kind == b"jp2c"), b"")
    if stream[2:4] != b"\xff\x51" or len(stream) < 43:
        raise FileError(f"{path} is damaged: it holds no JPEG 2000 codestream")
    (count,) = struct.unpack_from(">H", stream, 40)
    depths = {stream[42 + 3 * i] for i in range(min(count, (len(stream) - 42) // 3))}
    if any(d & 0x80 for d in depths):
        raise FileError(f"{path}: signed JPEG 2000 is not supported; convert it to TIFF or EXR of floats")
    bits = max(d & 0x7F for d in depths) + 1
    if bits <= 8:
        return 8, None
    import imagecodecs

    rows: np.ndarray = imagecodecs.jpeg2k_decode(data, numthreads=1)
    return bits, rows
