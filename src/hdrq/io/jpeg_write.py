"""Writing JPEG: 8 bits of code, or Ultra HDR, whose gain map is computed from the decoded base."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.image.color import convert
from hdrq.image.transfer import srgb_to_linear
from hdrq.io import gain_map, icc, tag
from hdrq.io.arrange import codes, planes
from hdrq.io.atomic import atomic
from hdrq.io.color import SDR_WHITE
from hdrq.records import BT709, Image

XMP = b"http://ns.adobe.com/xap/1.0/\0"


def write(
    path: Path,
    image: Image,
    *,
    quality: int = 95,
    base: Image | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write 8 bits at full chroma resolution, quality 1..100.

    base  SDR image (sRGB code) of the same size: `image` is then light, stored as a gain map (Ultra HDR,
          ISO 21496-1); 1.0 of "linear" is SDR white unless image.white_nits is set, "nits" is relative to 203 cd/m²
    """
    if not 1 <= quality <= 100:
        raise UsageError(f"JPEG quality is 1 to 100, not {quality}")
    if base is not None:
        return _write_gain_map(path, image, base, quality, provenance)
    if image.domain in ("nits", "linear"):
        raise DomainError(
            f"{path}: JPEG stores code, not light; encode the image first (hdrq encode --to srgb)"
        )
    if image.domain in ("pq", "hlg"):
        raise DomainError(
            f"{path}: the 8 bits of JPEG are too few for {image.domain.upper()}; write .png, .avif or .jxl, or Ultra HDR"
        )
    rows, notes = codes(image.pixels, 8, 1.0, path)
    extra = _profile(image) + _segment(0xFE, tag.compose(image, 1.0, provenance).encode("ascii")[:65000])
    with atomic(path) as part:
        part.write_bytes(_encoded(rows, quality, extra))
    return tuple(notes)


def decoded(path: Path, data: bytes) -> Tensor:
    """Code of a gain map, (1, 1 or 3, h, w) in [0, 1]."""
    import imagecodecs

    try:
        rows = imagecodecs.jpeg8_decode(data)
    except Exception as error:
        raise FileError(f"{path} is damaged: its gain map cannot be decoded; read layer base") from error
    return planes(rows, 255, [])


# --- gain maps ----------------------------------------------------------------------------------------


def _encoded(rows: np.ndarray, quality: int, extra: bytes) -> bytes:
    import imagecodecs

    data = bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(rows), level=quality, subsampling="444"))
    return data[:2] + extra + data[2:]


def _profile(image: Image) -> bytes:
    """A colour profile for images that are not in BT.709 primaries, so that other programs show the right colours."""
    if image.domain != "srgb" or image.primaries == BT709 or image.pixels.shape[1] == 1:
        return b""
    return _segment(0xE2, b"ICC_PROFILE\0\1\1" + icc.profile(image.primaries))


def _segment(code: int, body: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def _write_gain_map(
    path: Path, image: Image, base: Image, quality: int, provenance: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """The base and its gain map, a JPEG each; the map is computed from the base as it will be decoded."""
    if base.domain != "srgb" or image.domain not in ("nits", "linear"):
        raise DomainError(
            f"{path}: Ultra HDR needs linear light and an SDR base of sRGB code, not {image.domain} and {base.domain}"
        )
    if base.size != image.size:
        raise UsageError(
            f"{path}: the base has size {base.size}, the HDR image {image.size}; they must be equal"
        )
    rows, notes = codes(base.pixels, 8, 1.0, path)
    rows = np.stack([rows] * 3, -1) if rows.ndim == 2 else rows
    meaning = tag.compose(base, 1.0, provenance).encode("ascii")[:65000]
    bare = _encoded(rows, quality, _profile(base) + _segment(0xFE, meaning))
    white = image.white_nits or (1.0 if image.domain == "nits" else SDR_WHITE)
    scale = white / SDR_WHITE
    light = convert(image.pixels[:1].double() * scale, image.primaries, base.primaries).clamp(min=0)
    shown = srgb_to_linear(decoded(path, bare).double())
    gain, code = gain_map.between(shown, light.expand(-1, 3, -1, -1))
    map_rows = np.ascontiguousarray((code[0] * 255).round().byte().permute(1, 2, 0).numpy())
    inner = _segment(0xE2, gain_map.ISO + gain_map.to_iso(gain)) + _segment(0xE1, XMP + gain_map.to_xmp(gain))
    second = _encoded(map_rows, quality, inner)
    head = _segment(0xE1, XMP + gain_map.announcement(len(second)))
    head += _segment(0xE2, gain_map.ISO + struct.pack(">HH", 0, 0))
    with atomic(path) as part:
        part.write_bytes(_with_index(bare[:2] + head + bare[2:], second) + second)
    return tuple(notes)


def _with_index(first: bytes, second: bytes) -> bytes:
    """The base with a multi-picture index (CIPA DC-007), by which readers find the second image."""
    tags = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 2)
    entries_at = 8 + 2 + 3 * 12 + 4
    tags += struct.pack(">HHII", 0xB002, 7, 32, entries_at)
    total = len(first) + 2 + 2 + 4 + entries_at + 32
    entries = struct.pack(">IIIHH", 0x030000, total, 0, 0, 0)
    # relative to the header of the index
    entries += struct.pack(">IIIHH", 0, len(second), total - (2 + 4 + 4), 0, 0)
    body = b"MPF\0" + b"MM\0*" + struct.pack(">IH", 8, 3) + tags + struct.pack(">I", 0) + entries
    return first[:2] + _segment(0xE2, body) + first[2:]
