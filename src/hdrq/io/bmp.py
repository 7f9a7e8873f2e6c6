"""Windows bitmaps with palettes, run-length coding, bit fields and profiles. Source: Microsoft, BITMAPV5HEADER."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np

from hdrq.errors import FileError
from hdrq.io import icc
from hdrq.io.arrange import planes
from hdrq.io.color import Meaning
from hdrq.io.memory import afford
from hdrq.records import Image

RGB, RLE8, RLE4, BITFIELDS, JPEG, PNG, ALPHA_BITFIELDS = range(7)
# kinds of colour space, PROFILE_EMBEDDED and PROFILE_LINKED
EMBEDDED, LINKED = b"DEBM", b"KNIL"
# sizes that systems have written
HEADERS = (12, 16, 40, 42, 46, 48, 52, 56, 60, 64, 108, 124)
# bit masks that Pillow reads
STANDARD = {
    (0xF800, 0x7E0, 0x1F),
    (0x7C00, 0x3E0, 0x1F),
    (0xFF0000, 0xFF00, 0xFF),
}


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]."""
    data = path.read_bytes()
    if len(data) < 30:
        raise FileError(f"{path} is truncated: it ends within its header")
    (size,) = struct.unpack_from("<I", data, 14)
    width, height, _, bits = struct.unpack_from("<HHHH" if size == 12 else "<iiHH", data, 18)
    (packing,) = struct.unpack_from("<I", data, 30) if size >= 20 and len(data) >= 34 else (0,)
    if packing == 4 and bits == 24:
        raise FileError(f"{path}: 24-bit run-length coding (OS/2) is not supported; convert it to PNG")
    if packing in (JPEG, PNG):
        raise FileError(
            f"{path}: a bitmap with an embedded {('JPEG', 'PNG')[packing - JPEG]} is not supported; save it in that format"
        )
    if (
        bits not in (1, 2, 4, 8, 16, 24, 32)
        or packing > ALPHA_BITFIELDS
        or (packing == BITFIELDS and bits == 1)
    ):
        raise FileError(
            f"{path}: a bitmap of {bits} bits and compression {packing} is not supported; convert it to PNG"
        )
    least = 0 if packing in (RLE8, RLE4) else width * abs(height) * bits / 8
    afford(path, width, abs(height), 24, least=least)
    notes: list[str] = []
    fields = _fields(data, size, bits, packing)
    if fields is not None:
        rows = _unpacked(path, data, width, height, bits, fields)
    elif bits == 2:
        rows = _by_palette(path, data, size, width, height, bits)
    else:
        try:
            rows = _by_pillow(data)
        # some headers and sizes of palettes
        except (OSError, ValueError):
            if packing != RGB or bits > 8 or size not in HEADERS:
                raise
            rows = _by_palette(path, data, size, width, height, bits)
    meaning = _meaning(data, size, notes)
    pixels = meaning.apply(planes(rows, 255, notes, alpha))
    return Image(pixels, meaning.domain, meaning.primaries, bits=8, notes=tuple(notes), path=str(path))


def _meaning(data: bytes, size: int, notes: list[str]) -> Meaning:
    """From the profile that a header of version 5 embeds, else sRGB."""
    if size < 124 or len(data) < 138 or data[70:74] not in (EMBEDDED, LINKED):
        return Meaning()
    if data[70:74] == LINKED:
        notes.append("colour profile in another file not read: assumed sRGB")
        return Meaning()
    start, length = struct.unpack_from("<II", data, 126)
    return icc.understand(data[14 + start : 14 + start + length], notes)


def _by_pillow(data: bytes) -> np.ndarray:
    from PIL.BmpImagePlugin import BmpImageFile

    # not Image.open, which warns about large images
    picture = BmpImageFile(io.BytesIO(data))
    mode = {"1": "L", "L": "L", "RGBA": "RGBA"}.get(picture.mode, "RGB")
    return np.asarray(picture.convert(mode))


def _fields(data: bytes, size: int, bits: int, packing: int) -> tuple[int, ...] | None:
    """Bit masks of red, green, blue and alpha, where they are not the standard ones."""
    if packing not in (BITFIELDS, ALPHA_BITFIELDS) or bits not in (16, 32) or len(data) < 70:
        return None
    masks = struct.unpack_from("<4I", data, 54)
    if size < 56 and packing == BITFIELDS:
        masks = (*masks[:3], 0)
    return None if masks[:3] in STANDARD and bits == (16 if masks[0] < 0x10000 else 32) else masks


def _unpacked(
    path: Path, data: bytes, width: int, height: int, bits: int, masks: tuple[int, ...]
) -> np.ndarray:
    """Channels extracted by their masks, each scaled to 255."""
    words = (
        _rows(path, data, width, height, bits)
        .view("<u2" if bits == 16 else "<u4")[:, :width]
        .astype(np.uint32)
    )
    out = []
    for mask in masks[: 4 if masks[3] else 3]:
        if mask == 0:
            out.append(np.zeros(words.shape, np.uint8))
            continue
        shift = (mask & -mask).bit_length() - 1
        most = mask >> shift
        out.append(np.rint((words & mask) / (1 << shift) * (255 / most)).astype(np.uint8))
    return np.stack(out, -1)


def _by_palette(path: Path, data: bytes, size: int, width: int, height: int, bits: int) -> np.ndarray:
    """Pixels of 1, 2, 4 or 8 bits, through the palette that lies between the header and them."""
    packed = _rows(path, data, width, height, bits)
    mask = (1 << bits) - 1
    index = np.stack([packed >> s & mask for s in range(8 - bits, -1, -bits)], -1)
    index = index.reshape(len(packed), -1)[:, :width]
    palette = np.zeros((256, 4), np.uint8)
    step = 3 if size == 12 else 4
    stored = np.frombuffer(data, np.uint8)[14 + size : struct.unpack_from("<I", data, 10)[0]]
    stored = stored[: len(stored) // step * step].reshape(-1, step)[:256]
    palette[: len(stored), :step] = stored
    return palette[index][..., 2::-1]


def _rows(path: Path, data: bytes, width: int, height: int, bits: int) -> np.ndarray:
    """Bytes of each row, top row first; rows are padded to multiples of 32 bits."""
    (start,) = struct.unpack_from("<I", data, 10)
    stride = (width * bits + 31) // 32 * 4
    there = np.frombuffer(data, np.uint8)[start : start + stride * abs(height)]
    if len(there) < stride * abs(height):
        raise FileError(
            f"{path} is truncated: it holds {len(there)} of {stride * abs(height)} bytes of pixels"
        )
    rows = there.reshape(abs(height), stride)
    return np.ascontiguousarray(rows[::-1] if height > 0 else rows)
