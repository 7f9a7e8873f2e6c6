"""JPEG: 8 (or 12) bits of sRGB code, or the light of an Ultra HDR gain map.

Source: ITU-T T.81, T.871; JPEG XT: ISO/IEC 18477-3; Ultra HDR: ISO 21496-1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.io import icc, tag
from hdrq.io.arrange import codes, orient, planes
from hdrq.io.atomic import atomic
from hdrq.io.memory import afford
from hdrq.io.quiet import quiet
from hdrq.records import BT709, Image

FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
GAIN_MAP = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"urn:iso:std:iso:ts:21496:-1")
SDR_WHITE = 203.0  # cd/m², what Ultra HDR's makers and ITU-R BT.2408 take 1.0 for


@dataclass
class Markers:
    """What stands before the pixels."""

    bits: int = 0
    height: int = 0
    width: int = 0
    components: int = 0
    orientation: int = 1
    profile: bytes = b""
    comment: str = ""
    layers: list[str] = field(default_factory=list)
    gain_map: bool = False


def read(path: Path, *, alpha: bool = False, layer: str | None = None) -> Image:
    """(1, 1 or 3, H, W). An Ultra HDR file gives its light, 1.0 = SDR white; layer="base" its SDR code."""
    data = path.read_bytes()
    head = _markers(path, data)
    afford(path, head.width, head.height, 40 if head.gain_map else 24, least=head.width * head.height / 1024)
    if layer not in (None, "base", "hdr"):
        raise UsageError(f"{path}: a JPEG has the layers base and hdr, not '{layer}'")
    if layer == "hdr" and not head.gain_map:
        raise UsageError(f"{path} has no gain map, so no layer hdr")
    notes = [f"{name} layer not read: the 8-bit picture beneath it is" for name in head.layers]
    if head.gain_map and layer != "base":
        return _ultra(path, data, head, notes)
    import imagecodecs

    with quiet():
        rows = imagecodecs.jpeg8_decode(data)
    if rows.ndim == 3 and rows.shape[2] != 3:
        raise FileError(f"{path} is a CMYK JPEG; convert it to RGB first")
    domain, primaries = icc.understand(head.profile, notes) if head.profile else ("srgb", BT709)
    if head.gain_map:
        notes.append("gain map not applied: the SDR picture is read")
    pixels = orient(planes(rows, 2**head.bits - 1, notes), head.orientation, notes)
    if mark := tag.parse(head.comment):
        domain, primaries, pixels = mark.domain, mark.primaries, pixels * mark.ceiling
    return Image(pixels, domain, primaries, bits=head.bits, notes=tuple(notes), path=str(path))


def _ultra(path: Path, data: bytes, head: Markers, notes: list[str]) -> Image:
    """The base picture and its gain map as linear light."""
    import imagecodecs

    try:
        with quiet():
            rows = imagecodecs.ultrahdr_decode(data)  # half, RGBA
    except (RuntimeError, ValueError) as error:
        raise FileError(f"{path}: its gain map does not decode; read its SDR picture (layer base)") from error
    _, primaries = icc.understand(head.profile, notes) if head.profile else ("srgb", BT709)
    notes.append(
        f"Ultra HDR: gain map applied; linear light, 1.0 = SDR white ({SDR_WHITE:g} cd/m² by BT.2408)"
    )
    pixels = orient(planes(rows[..., :3], 1, notes), head.orientation, notes)
    return Image(pixels, "linear", primaries, white_nits=SDR_WHITE, notes=tuple(notes), path=str(path))


def _markers(path: Path, data: bytes) -> Markers:
    """The segments up to the first scan, and the assurance that the scans end."""
    head = Markers()
    profile: dict[bytes, bytes] = {}
    for code, at, body in _segments(path, data):
        if code in FRAMES and len(body) >= 6:
            head.bits, head.height, head.width, head.components = struct.unpack_from(">BHHB", body)
        elif code == 0xDA:
            if head.bits not in (8, 12) or head.components not in (1, 3, 4):
                raise FileError(f"{path} is damaged: its frame header is missing or impossible")
            if data.rfind(b"\xff\xd9") < at:
                raise FileError(f"{path} is truncated: its pixels do not end")
            head.profile = b"".join(profile[i] for i in sorted(profile))
            return head
        elif code == 0xE1 and body.startswith(b"Exif\0\0"):
            head.orientation = _orientation(body[6:])
        elif code == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile[body[12:13]] = body[14:]
        elif (
            code == 0xEB and body.startswith(b"JP") and body[12:16] != b"jumb"
        ):  # content credentials live there too
            head.layers = ["JPEG XT"]
        elif code == 0xEB and body.startswith(b"HDR_RI"):
            head.layers = ["JPEG-HDR (Dolby)"]
        elif code == 0xFE:
            head.comment = body.decode("latin-1")
        if code in (0xE1, 0xE2) and any(mark in body for mark in GAIN_MAP):
            head.gain_map = True
    raise FileError(f"{path} is truncated: it ends before its pixels begin")


def _segments(path: Path, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(marker, where it stands, body) up to the first scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise FileError(f"{path} is damaged: byte {at} should begin a marker")
        code = data[at + 1]
        if code == 0xFF or code == 1 or 0xD0 <= code <= 0xD8:  # filling, or a marker without a body
            at += 1 if code == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        if size < 2 or at + 2 + size > len(data):
            raise FileError(f"{path} is truncated: a segment of its header ends beyond the file")
        yield code, at, data[at + 4 : at + 2 + size]
        if code == 0xDA:
            return
        at += 2 + size


def _orientation(exif: bytes) -> int:
    """Tag 274 of the first directory, 1 where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None:
            return 1
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for i in range(count):
            name, kind, _, value = struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * i)
            if name == 274 and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def write(
    path: Path,
    image: Image,
    *,
    quality: int = 95,
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """8 bits, full chroma resolution, quality 1..100."""
    import imagecodecs

    if image.domain in ("nits", "linear"):
        raise DomainError(f"{path}: JPEG holds code, not light; encode it first (hdrq encode --to srgb)")
    if not 1 <= quality <= 100:
        raise UsageError(f"JPEG quality is 1 to 100, not {quality}")
    rows, notes = codes(image.pixels, 8, 1.0, path)
    data = imagecodecs.jpeg8_encode(np.ascontiguousarray(rows), level=quality, subsampling="444")
    comment = tag.compose(image, 1.0, provenance).encode("ascii")[:65000]
    segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    with atomic(path) as part:
        part.write_bytes(data[:2] + segment + data[2:])
    return tuple(notes)
