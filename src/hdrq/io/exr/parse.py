"""Parser of OpenEXR headers, and checks that the rest of the file is consistent with them.

The headers are parsed here, so that a damaged file is refused with a message before the library's C code reads it.
Source: "OpenEXR File Layout", openexr.com.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import FileError
from hdrq.io.exr.header import COMPRESSIONS, FAR, LARGE, Channel, Part


class _Cursor:
    """Reads bytes in order; reading past the end raises FileError."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.at = path, data, 8

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise FileError(f"{self.path} is truncated: it ends within its header")
        self.at += count
        return self.data[self.at - count : self.at]

    def text(self) -> str:
        end = self.data.find(b"\0", self.at, self.at + 256)
        if end < 0:
            raise FileError(f"{self.path} is damaged: a name in its header has no end")
        found = self.data[self.at : end]
        self.at = end + 1
        return found.decode("utf-8", "replace")


def parts_of(path: Path, data: bytes) -> list[Part]:
    """Every part of the file; checks that each chunk stated in the header lies within the file."""
    version = struct.unpack_from("<I", data, 4)[0] if len(data) >= 8 else 0
    if version & 0xFF != 2 or version & ~0x1EFF:
        raise FileError(
            f"{path} is damaged: EXR version {version & 0xFF} with flags {version >> 8:#x} is unknown"
        )
    single_tiled, many = bool(version & 0x200), bool(version & 0x1000)
    cursor = _Cursor(path, data)
    parts: list[Part] = []
    while True:
        part = Part(len(parts))
        while True:
            start = cursor.at
            if not (name := cursor.text()):
                break
            kind, size = cursor.text(), struct.unpack("<i", cursor.take(4))[0]
            value = cursor.take(size)
            part.spans[name] = (start, cursor.at)
            try:
                part.attributes[name] = _value(kind, value)
            except (struct.error, ValueError, IndexError) as error:
                raise FileError(f"{path} is damaged: header field {name!r} cannot be decoded") from error
        if many and not part.attributes and parts:
            break
        if not many:
            part.attributes.setdefault("type", "tiledimage" if single_tiled else "scanlineimage")
            if single_tiled and not part.deep:
                part.attributes["type"] = "tiledimage"
        _check(path, part)
        parts.append(part)
        if not many:
            break
        if len(parts) > 1000:
            raise FileError(f"{path} is damaged: it claims over 1000 parts")
    # start of the offset tables
    parts[0].spans[""] = (cursor.at, cursor.at)
    _check_chunks(path, data, cursor.at, parts, many)
    return parts


# Fields that the library needs to locate and decode pixels.
_NEEDED = (
    "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "screenWindowCenter",
    "screenWindowWidth", "tiles", "name", "type", "version", "chunkCount", "view", "multiView", "maxSamplesPerPixel",
)  # fmt: skip


def stripped(path: Path, data: bytes) -> bytes:
    """The file with only the header fields that pixels depend on, and its offsets adjusted.

    This is for fields that the library refuses: text that is not UTF-8, types of later versions.
    """
    parts = parts_of(path, data)
    many = bool(struct.unpack_from("<I", data, 4)[0] & 0x1000)
    head = data[:8]
    for part in parts:
        head += b"".join(data[a:b] for name, (a, b) in part.spans.items() if name in _NEEDED) + b"\0"
    head += b"\0" if many else b""
    at = parts[0].spans[""][0]
    count = sum(part.chunks() for part in parts)
    offsets = np.frombuffer(data, "<u8", count, at) - np.uint64(at - len(head))
    return head + offsets.tobytes() + data[at + 8 * count :]


def _value(kind: str, value: bytes) -> Any:
    """Header fields of the types used here; others stay bytes."""
    if kind == "box2i":
        return struct.unpack("<4i", value)
    if kind == "chromaticities":
        return struct.unpack("<8f", value)
    if kind in ("compression", "lineOrder"):
        return value[0]
    if kind in ("float", "int"):
        return struct.unpack("<f" if kind == "float" else "<i", value)[0]
    if kind == "string":
        return value.decode("utf-8", "replace")
    if kind == "tiledesc":
        return struct.unpack("<IIB", value)
    if kind == "stringvector":
        texts, at = [], 0
        while at < len(value):
            (size,) = struct.unpack_from("<i", value, at)
            if size < 0 or at + 4 + size > len(value):
                raise ValueError("a text exceeds its field")
            texts.append(value[at + 4 : at + 4 + size].decode("utf-8", "replace"))
            at += 4 + size
        return texts
    if kind == "chlist":
        channels, at = [], 0
        while value[at] != 0:
            end = value.index(b"\0", at)
            pixel, _, x, y = struct.unpack_from("<iIii", value, end + 1)
            channels.append(Channel(value[at:end].decode("utf-8", "replace"), pixel, x, y))
            at = end + 17
        return channels
    return value


def _check(path: Path, part: Part) -> None:
    """Check that every field that pixels depend on exists, has the right type and a plausible value."""
    fields = part.attributes
    kinds = {
        "channels": list,
        "compression": int,
        "dataWindow": tuple,
        "displayWindow": tuple,
        "lineOrder": int,
    }
    if part.tiled:
        kinds["tiles"] = tuple
    for name, kind in kinds.items():
        if not isinstance(fields.get(name), kind):
            raise FileError(f"{path} is damaged: its header has no {name}")
    if fields["compression"] >= len(COMPRESSIONS):
        raise FileError(f"{path} has the unknown compression {fields['compression']}")
    for window in (part.data, part.display):
        left, top, right, bottom = window
        if right < left or bottom < top or max(map(abs, window)) > FAR:
            raise FileError(f"{path} is damaged: its window {window} is empty or implausible")
    shown, held = (
        (right - left + 1) * (bottom - top + 1) for left, top, right, bottom in (part.display, part.data)
    )
    if shown > max(LARGE, 1024 * held):
        raise FileError(f"{path} is damaged: its display window has {shown} pixels, but its data only {held}")
    if not part.channels or len({c.name for c in part.channels}) < len(part.channels):
        raise FileError(f"{path} is damaged: it has no channels, or a duplicate channel")
    for c in part.channels:
        sound = 0 <= c.kind <= 2 and c.x >= 1 and c.y >= 1
        if not sound or any(v % s for v, s in ((part.data[0], c.x), (part.data[1], c.y))):
            raise FileError(f"{path} is damaged: channel {c.name!r} has an impossible type or sampling")
    if part.tiled and not 0 < fields["tiles"][0] * fields["tiles"][1] <= LARGE:
        raise FileError(
            f"{path} is damaged: its tiles are {fields['tiles'][0]} x {fields['tiles'][1]} pixels"
        )
    if part.tiled and (fields["tiles"][2] & 15 > 2 or fields["tiles"][2] >> 4 > 1):
        raise FileError(f"{path} is damaged: the level mode of its tiles is unknown")


def _check_chunks(path: Path, data: bytes, at: int, parts: list[Part], many: bool) -> None:
    """Check the offset tables, and that each offset points to a chunk within the file."""
    for part in parts:
        left, top, right, bottom = part.data
        claim = f"{right - left + 1} x {bottom - top + 1} pixels"
        count, least = part.chunks(), 0.0 if part.deep else part.bytes / part.compression[2]
        if max(16 * count, least) > len(data) - at:
            short = "truncated or damaged" if part.bytes < 1e9 else "damaged"
            raise FileError(f"{path} is {short}: it claims {claim}, too many for {len(data)} bytes")
        offsets = np.frombuffer(data, "<u8", count, at)
        at += 8 * count
        # part number, then tile or line coordinates
        lead = 4 * many + (16 if part.tiled else 4)
        sizes = 24 if part.deep else 4
        if int(offsets.max()) > len(data) - lead - sizes:
            raise FileError(f"{path} is truncated: a chunk of its pixels starts beyond its end")
        if int(offsets.min()) < at:
            raise FileError(f"{path} is damaged or incomplete: its offset table is invalid")
        octets = np.frombuffer(data, np.uint8)
        where = (offsets.astype(np.int64) + lead)[:, None] + np.arange(sizes)
        packed = octets[where].view("<u8" if part.deep else "<i4")
        needed = packed[:, :2].sum(1, dtype=np.float64) if part.deep else packed[:, 0].astype(np.float64)
        if (packed.astype(np.float64) < 0).any() or (offsets + lead + sizes + needed > len(data)).any():
            raise FileError(f"{path} is truncated: a chunk of its pixels ends beyond its end")
        if part.deep:
            part.attributes["deep bytes"] = float(packed[:, 2].sum(dtype=np.float64))
