"""AVIF of 8 to 12 bits, with gain maps. Source: AV1 Image File Format 1.2; ISO/IEC 23008-12 and 14496-12 (boxes)."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.io import gain_map, icc
from hdrq.io.arrange import codes, planes
from hdrq.io.atomic import atomic
from hdrq.io.av1 import code_points_of
from hdrq.io.color import Meaning, code_points, points_of
from hdrq.io.isobmff import Items, Property, items_of, payload, track_properties
from hdrq.io.memory import afford
from hdrq.records import Image


def read(path: Path, *, alpha: bool = False, layer: str | None = None) -> Image:
    """(1, 1 or 3, H, W): code in [0, 1]; with a gain map HDR light, 1.0 = SDR white, and layer="base" the code."""
    data = path.read_bytes()
    items = items_of(path, data)
    data = _for_libavif(data, items)
    if layer not in (None, *gain_map.LAYERS):
        raise UsageError(f"{path}: an AVIF has the layers {', '.join(gain_map.LAYERS)}, not '{layer}'")
    image = _primary(path, data, items, alpha)
    found = _tone_mapped(data, items)
    if found is None or layer == "base":
        if layer == "hdr":
            raise UsageError(f"{path} has no gain map and therefore no layer hdr; leave the layer out")
        note = ("gain map not applied: base image read",) if found else ()
        if found is None and b"tmap" in items.kinds.values():
            note = (gain_map.UnknownVersion.note,)
        return image.with_pixels(image.pixels, notes=(*image.notes, *note))
    tone_mapped, other = found
    try:
        gain = gain_map.from_iso(payload(data, items, tone_mapped)[1:], path)
    except gain_map.UnknownVersion as error:
        if layer is not None:
            raise
        return image.with_pixels(image.pixels, notes=(*image.notes, error.note))
    code = _map_code(path, data, items, other)
    alternate = _meaning(items.of(tone_mapped), [])
    return gain_map.rendition(image, code, gain, layer or "hdr", alternate.primaries if alternate else None)


def layers(path: Path) -> tuple[str, ...]:
    """The layers of a file: ("hdr", "base") with a gain map, () without."""
    data = path.read_bytes()
    return ("hdr", "base") if _tone_mapped(data, items_of(path, data)) else ()


def _primary(path: Path, data: bytes, items: Items, alpha: bool) -> Image:
    """The primary image, upright; for a sequence without a primary image, its first frame."""
    properties = items.of(items.primary)
    for part in items.parts(items.primary):
        properties = properties + [p for p in items.of(part) if p[0] in (b"av1C", b"colr", b"pixi")]
    if not items.primary:
        properties = track_properties(path, data)
    width, height = _size(properties)
    afford(path, width, height, 64)
    notes: list[str] = []
    rows = _decoded(path, data, items)
    if data[8:12] == b"avis":
        notes.append("image sequence: first frame read")
    bits = _bits(properties) if rows.dtype != np.uint8 else 8
    meaning = _meaning(properties, notes)
    if meaning is None:
        points = _points_of_stream(data, items, properties)
        meaning = code_points(*points, notes) if points else Meaning()
    pixels = meaning.apply(planes(rows, 2**bits - 1, notes, alpha))
    pixels = _upright(pixels, properties, notes)
    notes += _unread(items, rows)
    return Image(pixels, meaning.domain, meaning.primaries, bits, notes=tuple(notes), path=str(path))


def _decoded(path: Path, data: bytes, items: Items) -> np.ndarray:
    import imagecodecs

    try:
        rows: np.ndarray = imagecodecs.avif_decode(data, numthreads=1)
    except Exception as error:
        raise FileError(f"{path}{_refused(' '.join(str(error).split()), items)}") from error
    # requesting a single frame corrupts memory in imagecodecs 2026.3.6
    return rows[0] if rows.ndim == 4 else rows


def _refused(said: str, items: Items) -> str:
    """Why libavif does not decode a file."""
    said = said.partition(" returned ")[2] or said
    tiles = [
        to
        for kind, start, ends in items.references
        if kind == b"dimg" and items.kinds.get(start) == b"grid"
        for to in ends
    ]
    if len(set(tiles)) < len(tiles):
        return ": an AVIF whose grids use a tile more than once is not supported; convert it to PNG"
    primary = items.kinds.get(items.primary, b"av01")
    if primary not in (b"av01", b"grid", b"sato"):
        kind = primary.decode("latin-1")
        return f": an AVIF whose primary item is of the type {kind!r} is not supported; convert it to PNG"
    if re.search("not.implemented|unsupported", said, re.I):
        return f": this variant of AVIF is not supported by libavif ({said}); convert it to PNG"
    if "truncated" in said.lower():
        return " is truncated: its pixels end early"
    return f" is damaged or no valid AVIF: libavif states {said}"


def _for_libavif(data: bytes, items: Items) -> bytes:
    """The file without what libavif 1.4.0 need not parse to decode the primary image, but may refuse.

    These are the list of entity groups, where it holds an image pyramid (pymd, ISO/IEC 23008-12), and the metadata of
    gain maps, which are parsed here.
    """
    out = bytearray(data)
    for kind, at in items.groups:
        if kind == b"pymd":
            out[at : at + 4] = b"free"
    for item, kind in items.kinds.items():
        if kind == b"tmap":
            out[items.kind_at[item] : items.kind_at[item] + 4] = b"free"
            brand = data.find(b"tmap", 16, struct.unpack_from(">I", data)[0])
            # this brand demands such an item
            if brand > 0:
                out[brand : brand + 4] = b"miaf"
    return bytes(out)


def _unread(items: Items, rows: np.ndarray) -> list[str]:
    """Notes on images of the file from which a larger or deeper one than the primary could be made."""
    size = f"{rows.shape[1]}x{rows.shape[0]}"
    notes = []
    if any(kind == b"pymd" for kind, _ in items.groups):
        notes.append(f"image pyramid: its primary image of {size} pixels read, its other layers not")
    if b"sato" in items.kinds.values() and items.kinds.get(items.primary) != b"sato":
        notes.append("sample transform, which adds bits to the primary image, not applied")
    return notes


def _map_code(path: Path, data: bytes, items: Items, item: int) -> Tensor:
    """Code of the gain map, by decoding the file again with the map as its primary item."""
    number = struct.pack(">H" if items.primary_size == 2 else ">I", item)
    at = items.primary_at
    rows = _decoded(path, data[:at] + number + data[at + items.primary_size :], items)
    properties = items.of(item)
    for part in items.parts(item):
        properties = properties + items.of(part)
    bits = _bits(properties) if rows.dtype != np.uint8 else 8
    return _upright(planes(rows, 2**bits - 1, []), properties, [])


def _tone_mapped(data: bytes, items: Items) -> tuple[int, int] | None:
    """(tmap item, gain map item), where the primary image has one."""
    for item, kind in items.kinds.items():
        parts = items.parts(item)
        # version of the item's own structure
        known = kind == b"tmap" and payload(data, items, item)[:1] == b"\0"
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
    """From the colour profile, else code points, else the AV1 sequence header; None where there is none."""
    colours = [body for kind, body in properties if kind == b"colr"]
    for body in colours:
        if body[:4] in (b"prof", b"rICC"):
            return icc.understand(body[4:], notes)
    for body in colours:
        if body[:4] == b"nclx" and len(body) >= 10:
            first, transfer = struct.unpack_from(">HH", body, 4)
            return code_points(first, transfer, notes)
    return None


def _points_of_stream(data: bytes, items: Items, properties: list[Property]) -> tuple[int, int] | None:
    """Code points of the AV1 stream: from its configuration record, else from the first bytes of the pixel data."""
    streams = [body[4:] for kind, body in properties if kind == b"av1C"]
    streams += [payload(data, items, item) for item in (items.primary, *items.parts(items.primary))]
    return next((found for stream in streams if (found := code_points_of(stream))), None)


def _upright(pixels: Tensor, properties: list[Property], notes: list[str]) -> Tensor:
    """Rotated and mirrored by irot and imir, in the order of their association."""
    before = pixels
    if any(kind == b"clap" for kind, _ in properties):
        notes.append("clean aperture not applied: whole image read")
    for kind, body in properties:
        if kind == b"irot" and body and body[0] & 3:
            # counter-clockwise
            pixels = torch.rot90(pixels, body[0] & 3, (-2, -1))
        elif kind == b"imir" and body:
            pixels = pixels.flip(-2 if body[0] & 1 == 0 else -1)
    if pixels is not before:
        notes.append("rotated and mirrored as the file states")
    return pixels.contiguous()


# --- writing ------------------------------------------------------------------------------------------


def write(path: Path, image: Image, *, bits: int | None = None, quality: int = 100) -> tuple[str, ...]:
    """8, 10 or 12 bits of code with its code points; quality 100 is lossless at that depth.

    bits  default: the image's own where at most 8, else 12
    """
    import imagecodecs

    points = points_of(image.domain, image.primaries)
    if image.domain == "nits":
        raise DomainError(
            f"{path}: AVIF stores code, not cd/m²; encode the image first (hdrq encode --to pq) or write .exr"
        )
    if points is None or image.primaries.name == "xyz":
        raise DomainError(
            f"{path}: AVIF has no code points for {image.domain} code in {image.primaries.name} primaries; write .png or .exr"
        )
    if bits is None:
        bits = 8 if image.bits is not None and image.bits <= 8 else 12
    if bits not in (8, 10, 12) or not 1 <= quality <= 100:
        raise UsageError(
            f"AVIF is written with 8, 10 or 12 bits and quality 1 to 100, not {bits} bits and quality {quality}"
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
