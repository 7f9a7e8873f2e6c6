"""AVIF of 8 to 12 bits. Source: AV1 Image File Format 1.1; ISO/IEC 23008-12 (boxes)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from hdrq.errors import FileError
from hdrq.io import cicp, icc
from hdrq.io.arrange import planes
from hdrq.io.memory import afford
from hdrq.records import BT709, Image

HOMES = (b"meta", b"iprp", b"ipco")  # boxes that hold the properties


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]; what it means is told by the nclx or ICC property."""
    import imagecodecs

    data = path.read_bytes()
    width = height = 0
    bits, domain, primaries, known = 8, "srgb", BT709, False
    quarters, mirrored = 0, 0  # turns to the left, then the dimension that is flipped
    notes: list[str] = []
    for kind, body in _boxes(path, data, 0, len(data)):
        if kind == b"ispe" and len(body) >= 12:
            w, h = struct.unpack_from(">II", body, 4)
            width, height = max(width, w), max(height, h)
        elif kind == b"av1C" and len(body) >= 3:
            bits = max(bits, 12 if body[2] & 0x20 and body[2] & 0x40 else 10 if body[2] & 0x40 else 8)
        elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= 10:
            domain, primaries = cicp.meaning(body[5], body[7], notes)
            known = True
        elif kind == b"colr" and body[:4] in (b"prof", b"rICC") and not known:
            domain, primaries = icc.understand(body[4:], notes)
        elif kind == b"irot" and body:
            quarters = body[0] & 3
        elif kind == b"imir" and body:
            mirrored = -2 if body[0] & 1 == 0 else -1
    afford(path, width, height, 64)
    rows = imagecodecs.avif_decode(data, numthreads=1)
    rows = rows[0] if rows.ndim == 4 else rows
    most = 255 if rows.dtype == np.uint8 else 2**bits - 1
    pixels = planes(rows, most, notes, alpha)
    if quarters or mirrored:
        notes.append("turned as the file says it is to be seen")
        pixels = torch.rot90(pixels, quarters, (-2, -1))
        pixels = (pixels.flip(mirrored) if mirrored else pixels).contiguous()
    return Image(pixels, domain, primaries, bits, notes=tuple(notes), path=str(path))


def _boxes(path: Path, data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of every box, those within HOMES included."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            start += 8
        stop = end if size == 0 else at + size
        if stop > end or stop < start:
            raise FileError(f"{path} is truncated: its box {kind.decode('latin-1')!r} ends beyond it")
        if kind in HOMES:
            yield from _boxes(path, data, start + 4 * (kind == b"meta"), stop)
        elif kind != b"mdat":
            yield kind, data[start:stop]
        at = stop
