"""AVIF of 8 to 12 bits, with gain maps. Source: AV1 Image File Format 1.2; ISO/IEC 23008-12 and 14496-12 (boxes)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.io import gain_map, icc
from hdrq.io.arrange import codes, planes
from hdrq.io.atomic import atomic
from hdrq.io.color import Meaning, code_points, points_of
from hdrq.io.memory import afford
from hdrq.records import Image

Property = tuple[bytes, bytes]


@dataclass
class Items:
    """What the `meta` box says: items by number, their properties, and where they refer to.

    primary_at, primary_size   where the file stores the number of the primary item, so that it can be changed
    """

    primary: int = 0
    primary_at: int = 0
    primary_size: int = 2
    kinds: dict[int, bytes] = field(default_factory=dict)
    properties: list[Property] = field(default_factory=list)
    owners: dict[int, list[int]] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def of(self, item: int) -> list[Property]:
        """Properties of an item, in the order of their association."""
        return [self.properties[i - 1] for i in self.owners.get(item, []) if 0 < i <= len(self.properties)]

    def parts(self, item: int) -> list[int]:
        """Items that this one is derived from (tiles of a grid, base and map of a tone mapped image)."""
        return [
            to for kind, start, ends in self.references if kind == b"dimg" and start == item for to in ends
        ]


def read(path: Path, *, alpha: bool = False, layer: str | None = None) -> Image:
    """(1, 1 or 3, H, W): code in [0, 1]; with a gain map HDR light, 1.0 = SDR white, and layer="base" the code."""
    data = path.read_bytes()
    items = _items(path, data)
    if layer not in (None, *gain_map.LAYERS):
        raise UsageError(f"{path}: an AVIF has the layers {', '.join(gain_map.LAYERS)}, not '{layer}'")
    image = _primary(path, data, items, alpha)
    found = _tone_mapped(data, items)
    if found is None or layer == "base":
        if layer == "hdr":
            raise UsageError(f"{path} has no gain map, so no layer hdr; leave the layer out")
        note = ("gain map not applied: the base image is read",) if found else ()
        return image.with_pixels(image.pixels, notes=(*image.notes, *note))
    tone_mapped, other = found
    try:
        gain = gain_map.from_iso(_payload(data, items, tone_mapped)[1:], path)
    except gain_map.UnknownVersion as error:
        if layer is not None:
            raise
        return image.with_pixels(image.pixels, notes=(*image.notes, error.note))
    code = _map_code(path, data, items, other)
    alternate = _meaning(items.of(tone_mapped), [])
    return gain_map.rendition(image, code, gain, layer or "hdr", alternate.primaries if alternate else None)


def layers(path: Path) -> tuple[str, ...]:
    """The renditions in a file: ("hdr", "base") with a gain map, () without."""
    data = path.read_bytes()
    return ("hdr", "base") if _tone_mapped(data, _items(path, data)) else ()


def _primary(path: Path, data: bytes, items: Items, alpha: bool) -> Image:
    """The primary image, upright; the first frame of a sequence that has no such item."""
    properties = items.of(items.primary)
    for part in items.parts(items.primary):
        properties = properties + [p for p in items.of(part) if p[0] in (b"av1C", b"colr", b"pixi")]
    if not items.primary:
        properties = _track_properties(path, data)
    width, height = _size(properties)
    afford(path, width, height, 64)
    notes: list[str] = []
    rows = _decoded(path, data)
    if data[8:12] == b"avis":
        notes.append("image sequence: its first frame is read")
    bits = _bits(properties) if rows.dtype != np.uint8 else 8
    meaning = _meaning(properties, notes) or Meaning()
    pixels = meaning.apply(planes(rows, 2**bits - 1, notes, alpha))
    pixels = _upright(pixels, properties, notes)
    return Image(pixels, meaning.domain, meaning.primaries, bits, notes=tuple(notes), path=str(path))


def _decoded(path: Path, data: bytes) -> np.ndarray:
    import imagecodecs

    try:
        rows: np.ndarray = imagecodecs.avif_decode(data, numthreads=1)
    except Exception as error:
        said = " ".join(str(error).split())
        if "Not implemented" in said or "NOT_IMPLEMENTED" in said or "Unsupported" in said:
            raise FileError(
                f"{path}: this kind of AVIF is not supported by libavif; convert it to PNG"
            ) from error
        raise
    return (
        rows[0] if rows.ndim == 4 else rows
    )  # asking for one frame alone corrupts memory in imagecodecs 2026.3.6


def _map_code(path: Path, data: bytes, items: Items, item: int) -> Tensor:
    """Code of the gain map: the file decoded once more with the map as its primary item."""
    number = struct.pack(">H" if items.primary_size == 2 else ">I", item)
    at = items.primary_at
    rows = _decoded(path, data[:at] + number + data[at + items.primary_size :])
    properties = items.of(item)
    for part in items.parts(item):
        properties = properties + items.of(part)
    bits = _bits(properties) if rows.dtype != np.uint8 else 8
    return _upright(planes(rows, 2**bits - 1, []), properties, [])


def _tone_mapped(data: bytes, items: Items) -> tuple[int, int] | None:
    """(item of kind tmap, item of the gain map), where the primary image has one."""
    for item, kind in items.kinds.items():
        parts = items.parts(item)
        known = (
            kind == b"tmap" and _payload(data, items, item)[:1] == b"\0"
        )  # the version of the item's own form
        if known and len(parts) == 2 and parts[0] == items.primary:
            return item, parts[1]
    return None


# --- properties ---------------------------------------------------------------------------------------


def _size(properties: list[Property]) -> tuple[int, int]:
    for kind, body in properties:
        if kind == b"ispe" and len(body) >= 12:
            return struct.unpack_from(">II", body, 4)
    return 0, 0


def _bits(properties: list[Property]) -> int:
    for kind, body in properties:
        if kind == b"av1C" and len(body) >= 3:
            return 12 if body[2] & 0x20 and body[2] & 0x40 else 10 if body[2] & 0x40 else 8
    return 8


def _meaning(properties: list[Property], notes: list[str]) -> Meaning | None:
    """By the colour profile, else by code points, else by the header of the AV1 stream; None where none is there."""
    colours = [body for kind, body in properties if kind == b"colr"]
    for body in colours:
        if body[:4] in (b"prof", b"rICC"):
            return icc.understand(body[4:], notes)
    for body in colours:
        if body[:4] == b"nclx" and len(body) >= 10:
            first, transfer = struct.unpack_from(">HH", body, 4)
            return code_points(first, transfer, notes)
    return None


def _upright(pixels: Tensor, properties: list[Property], notes: list[str]) -> Tensor:
    """Turned and mirrored by irot and imir, in the order of their association."""
    before = pixels
    if any(kind == b"clap" for kind, _ in properties):
        notes.append("clean aperture not applied: the whole image is read")
    for kind, body in properties:
        if kind == b"irot" and body and body[0] & 3:
            pixels = torch.rot90(pixels, body[0] & 3, (-2, -1))  # against the clock
        elif kind == b"imir" and body:
            pixels = pixels.flip(-2 if body[0] & 1 == 0 else -1)
    if pixels is not before:
        notes.append("turned as the file says it is to be seen")
    return pixels.contiguous()


# --- boxes --------------------------------------------------------------------------------------------


def boxes(path: Path, data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, where the body begins, where it ends) of boxes side by side."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            start += 8
        stop = end if size == 0 else at + size
        if stop > end or stop < start:
            raise FileError(f"{path} is truncated: its box {kind.decode('latin-1')!r} ends beyond it")
        yield kind, start, stop
        at = stop


def _items(path: Path, data: bytes) -> Items:
    items = Items()
    try:
        for kind, start, stop in boxes(path, data, 0, len(data)):
            if kind == b"meta":
                _read_meta(path, data, start + 4, stop, items)
    except (struct.error, IndexError) as error:
        raise FileError(f"{path} is damaged: its boxes do not decode") from error
    return items


def _read_meta(path: Path, data: bytes, at: int, end: int, items: Items) -> None:
    inner = {kind: (start, stop) for kind, start, stop in boxes(path, data, at, end)}
    if b"pitm" in inner:
        start, _ = inner[b"pitm"]
        items.primary_at, items.primary_size = start + 4, 4 if data[start] else 2
        items.primary = int.from_bytes(data[start + 4 : start + 4 + items.primary_size], "big")
    if b"iinf" in inner:
        start, stop = inner[b"iinf"]
        for kind, a, _ in boxes(path, data, start + (8 if data[start] else 6), stop):
            if kind == b"infe" and data[a] >= 2:
                wide = data[a] >= 3
                item = int.from_bytes(data[a + 4 : a + (8 if wide else 6)], "big")
                items.kinds[item] = data[a + (10 if wide else 8) : a + (14 if wide else 12)]
    if b"iref" in inner:
        start, stop = inner[b"iref"]
        form = ">I" if data[start] else ">H"
        width = struct.calcsize(form)
        for kind, a, _ in boxes(path, data, start + 4, stop):
            (first,) = struct.unpack_from(form, data, a)
            (count,) = struct.unpack_from(">H", data, a + width)
            ends = [struct.unpack_from(form, data, a + width + 2 + width * i)[0] for i in range(count)]
            items.references.append((kind, first, ends))
    if b"iprp" in inner:
        for kind, start, stop in boxes(path, data, *inner[b"iprp"]):
            if kind == b"ipco":
                items.properties = [(k, data[a:b]) for k, a, b in boxes(path, data, start, stop)]
            elif kind == b"ipma":
                _read_associations(data, start, items)
    if b"iloc" in inner:
        home = inner.get(b"idat", (0, 0))[0]
        _read_locations(data, inner[b"iloc"][0], home, items)


def _read_associations(data: bytes, at: int, items: Items) -> None:
    """ipma: for each item the numbers of its properties."""
    wide_item, wide_index = data[at] >= 1, bool(data[at + 3] & 1)
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 8
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if wide_item else ">H", data, at)
        at += 4 if wide_item else 2
        several = data[at]
        at += 1
        for _ in range(several):
            index = struct.unpack_from(">H", data, at)[0] & 0x7FFF if wide_index else data[at] & 0x7F
            items.owners.setdefault(item, []).append(index)
            at += 2 if wide_index else 1


def _read_locations(data: bytes, at: int, idat: int, items: Items) -> None:
    """iloc: where the bytes of each item are."""
    version = data[at]
    sizes = (data[at + 4] >> 4, data[at + 4] & 15, data[at + 5] >> 4, data[at + 5] & 15 if version else 0)
    offset_size, length_size, base_size, index_size = sizes
    at += 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        number(2)
        start = number(base_size) + (idat if method == 1 else 0)
        for _ in range(number(2)):
            number(index_size)
            offset = number(offset_size)
            items.extents.setdefault(item, []).append((start + offset, number(length_size)))


def _payload(data: bytes, items: Items, item: int) -> bytes:
    return b"".join(data[at : at + size] for at, size in items.extents.get(item, []))


def _track_properties(path: Path, data: bytes) -> list[Property]:
    """colr, av1C and the size of the first video track, as properties."""
    found: list[Property] = []

    def walk(at: int, end: int) -> None:
        for kind, start, stop in boxes(path, data, at, end):
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                walk(start, stop)
            elif kind == b"stsd":
                walk(start + 8, stop)
            elif kind == b"av01":
                width, height = struct.unpack_from(">HH", data, start + 24)
                found.append((b"ispe", struct.pack(">III", 0, width, height)))
                walk(start + 78, stop)
            elif kind in (b"colr", b"av1C"):
                found.append((kind, data[start:stop]))

    walk(0, len(data))
    return found


# --- writing ------------------------------------------------------------------------------------------


def write(path: Path, image: Image, *, bits: int | None = None, quality: int = 100) -> tuple[str, ...]:
    """8, 10 or 12 bits of code, tagged by its code points; quality 100 is lossless at that depth.

    bits  by default the image's own up to 8, else 12
    """
    import imagecodecs

    points = points_of(image.domain, image.primaries)
    if image.domain == "nits":
        raise DomainError(
            f"{path}: AVIF holds code, not cd/m²; encode it first (hdrq encode --to pq) or write .exr"
        )
    if points is None or image.primaries.name == "xyz":
        raise DomainError(
            f"{path}: AVIF has no tag for {image.domain} code in {image.primaries.name} primaries; write .png or .exr"
        )
    bits = bits or (8 if image.bits is not None and image.bits <= 8 else 12)
    if bits not in (8, 10, 12) or not 1 <= quality <= 100:
        raise UsageError(
            f"AVIF has 8, 10 or 12 bits and quality 1 to 100, not {bits} bits and quality {quality}"
        )
    rows, notes = codes(image.pixels, bits, 1.0, path)
    grey = rows.ndim == 2
    matrix = 0 if quality == 100 else {1: 1, 9: 9}.get(points[0], 6)
    if grey and quality == 100:
        matrix = 1
    data = imagecodecs.avif_encode(
        rows,
        quality,
        speed=6,
        bitspersample=bits,
        pixelformat="400" if grey else "444",
        primaries=points[0],
        transfer=points[1],
        matrix=matrix,
        numthreads=1,
    )
    with atomic(path) as part:
        part.write_bytes(data)
    return tuple(notes)
