"""JPEG: 8 or 12 bits of code, or linear light by a gain map.

Source: ITU-T T.81, T.871; CMYK: Adobe Technical Note 5116; JPEG XT: ISO/IEC 18477-3; gain maps: see gain_map.py.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from hdrq.errors import FileError, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import exif, gain_map, icc, tag
from hdrq.io.arrange import orient, planes
from hdrq.io.color import Meaning
from hdrq.io.jpeg_write import XMP, decoded
from hdrq.io.jpeg_write import write as write
from hdrq.io.memory import afford
from hdrq.records import BT2020, Image

# followed by a digest of 32 bytes, the size of the whole and the place of this part; source: Adobe, "XMP part 3", 1.1.3.1
XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclass
class Markers:
    """Contents of the segments before the pixels.

    scan     start of the first scan
    adobe    whether colours are stored inverted, as in Adobe's CMYK files
    apple    the two numbers of Apple's maker note
    iso, xmp gain map metadata: in the map's header, or its announcement in the base's header
    unread   why a gain map of the file is not applied
    """

    bits: int = 0
    height: int = 0
    width: int = 0
    components: int = 0
    orientation: int = 1
    profile: bytes = b""
    comment: str = ""
    adobe: bool = False
    layers: list[str] = field(default_factory=list)
    apple: tuple[float, float] | None = None
    iso: bytes = b""
    xmp: bytes = b""
    scan: int = 0
    unread: str = ""


def read(path: Path, *, alpha: bool = False, layer: str | None = None) -> Image:
    """(1, 1 or 3, H, W). A file with a gain map gives HDR light, 1.0 = SDR white; layer="base" gives its SDR code."""
    data = path.read_bytes()
    head = _markers(path, data)
    afford(path, head.width, head.height, 24, least=head.width * head.height / 1024)
    if layer not in (None, *gain_map.LAYERS):
        raise UsageError(f"{path}: a JPEG has the layers {', '.join(gain_map.LAYERS)}, not '{layer}'")
    notes = [f"{name} layer not read: 8-bit base image read" for name in head.layers]
    image = _base(path, data, head, notes)
    second = _gain_map_file(path, data, head)
    if second is not None and layer != "base":
        afford(path, head.width, head.height, 150)
        gain, start, profile = second
        primaries = icc.understand(profile, []).primaries if profile else None
        image = gain_map.rendition(image, decoded(path, data[start:]), gain, layer or "hdr", primaries)
    elif layer == "hdr":
        raise UsageError(
            f"{path} has no gain map that hdrq can read, and therefore no layer hdr; leave the layer out"
        )
    elif second is not None or _announced(head) or head.unread:
        note = head.unread if layer != "base" else ""
        image = replace(image, notes=(*image.notes, note or "gain map not applied: base image read"))
    more = list(image.notes)
    return image.with_pixels(orient(image.pixels, head.orientation, more), notes=tuple(more))


def layers(path: Path) -> tuple[str, ...]:
    """The layers of a file: ("hdr", "base") with a gain map, () without."""
    data = path.read_bytes()
    return ("hdr", "base") if _gain_map_file(path, data, _markers(path, data)) else ()


def _base(path: Path, data: bytes, head: Markers, notes: list[str]) -> Image:
    """The base image as other JPEG readers decode it, before rotation."""
    import imagecodecs

    rows = imagecodecs.jpeg8_decode(data)
    if head.components == 4:
        return _ink(path, rows, head, notes)
    pixels = planes(rows, 2**head.bits - 1, notes)
    if mark := tag.parse(head.comment):
        pixels, meaning = pixels * mark.ceiling, Meaning(mark.domain, mark.primaries)
    else:
        meaning = icc.understand(head.profile, notes) if head.profile else Meaning()
        pixels = meaning.apply(pixels)
    return Image(
        pixels, meaning.domain, meaning.primaries, bits=head.bits, notes=tuple(notes), path=str(path)
    )


def _ink(path: Path, rows: np.ndarray, head: Markers, notes: list[str]) -> Image:
    """CMYK converted by its colour profile to sRGB code in BT.2020 primaries."""
    if not head.profile or head.profile[16:20] != b"CMYK":
        raise FileError(f"{path}: CMYK without a colour profile is not supported; convert it to RGB")
    ink = rows.astype(np.float32) / 255
    light = icc.transform(1 - ink if head.adobe else ink, head.profile, "cmyk")
    pixels = linear_to_srgb(torch.from_numpy(light).permute(2, 0, 1)[None].contiguous())
    notes.append("CMYK converted by its colour profile: sRGB code in BT.2020 primaries")
    return Image(pixels, "srgb", BT2020, bits=8, notes=tuple(notes), path=str(path))


def _announced(head: Markers) -> bool:
    return bool(head.iso) or gain_map.XMP in head.xmp


def _gain_map_file(path: Path, data: bytes, head: Markers) -> tuple[gain_map.AnyMap, int, bytes] | None:
    """(metadata, start of the gain map's JPEG, its colour profile) of the first gain map after the base.

    The multi-picture index (MPF) is not needed, because FF D8 does not occur within coded pixels.
    """
    at = head.scan
    while (at := data.find(b"\xff\xd8\xff", at + 1)) >= 0:
        try:
            other = _markers(path, data[at:])
        except FileError:
            continue
        if len(other.iso) > 4:
            try:
                return gain_map.from_iso(other.iso, path), at, other.profile
            except gain_map.UnknownVersion as error:
                head.unread = error.note
        if gain_map.XMP in other.xmp and b"GainMapMax" in other.xmp:
            return gain_map.from_xmp(other.xmp, path), at, other.profile
        if gain_map.APPLE in other.xmp:
            headroom = re.search(rb"HDRGainMapHeadroom\W+([\d.]+)", other.xmp)
            if headroom:
                return gain_map.AppleGainMap(max(float(headroom[1]), 1.0)), at, other.profile
            if head.apple is not None:
                return gain_map.apple(*head.apple), at, other.profile
            head.unread = (
                "Apple gain map not applied, because the file does not state its headroom: base image read"
            )
    return None


# --- segments -----------------------------------------------------------------------------------------


def _markers(path: Path, data: bytes) -> Markers:
    """The segments up to the first scan; checks that the scans are complete."""
    head = Markers()
    profile: dict[bytes, bytes] = {}
    extension: dict[bytes, bytes] = {}
    for code, at, body in _segments(path, data):
        if code in FRAMES and len(body) >= 6:
            head.bits, head.height, head.width, head.components = struct.unpack_from(">BHHB", body)
        elif code == 0xDA:
            if not head.bits:
                raise FileError(f"{path} is damaged: its frame header is missing")
            if head.bits not in (8, 12) or head.components not in (1, 3, 4):
                kind = f"{head.bits} bits and {head.components} components"
                raise FileError(f"{path}: JPEG of {kind} is not supported; convert it to PNG or TIFF")
            if data.rfind(b"\xff\xd9") < at:
                raise FileError(f"{path} is truncated: its pixel data has no end")
            head.profile = b"".join(profile[i] for i in sorted(profile))
            head.xmp += b"".join(extension[place] for place in sorted(extension))
            head.scan = at
            return head
        elif code == 0xF7:
            raise FileError(f"{path}: JPEG-LS is not supported; convert it to PNG, TIFF or EXR")
        elif code == 0xE1 and body.startswith(b"Exif\0\0"):
            head.orientation = exif.orientation(body[6:])
            head.apple = exif.apple_numbers(body[6:])
        elif code == 0xE1 and body.startswith(XMP):
            head.xmp += body[len(XMP) :]
        elif code == 0xE1 and body.startswith(XMP_EXTENSION):
            start = len(XMP_EXTENSION) + 36
            extension[body[start : start + 4]] = body[start + 4 :]
        elif code == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            profile[body[12:13]] = body[14:]
        elif code == 0xE2 and body.startswith(gain_map.ISO):
            head.iso = body[len(gain_map.ISO) :]
        # JUMBF also holds content credentials
        elif code == 0xEB and body.startswith(b"JP") and body[12:16] != b"jumb":
            head.layers = ["JPEG XT"]
        elif code == 0xEB and body.startswith(b"HDR_RI"):
            head.layers = ["JPEG-HDR (Dolby)"]
        elif code == 0xEE and body.startswith(b"Adobe"):
            head.adobe = True
        elif code == 0xFE:
            head.comment = body.decode("latin-1")
    raise FileError(f"{path} is truncated: it ends before its pixels")


def _segments(path: Path, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(marker, position, body) of the segments up to the first scan."""
    at = 2
    while at + 4 <= len(data):
        # some writers leave bytes between segments, and decoders skip to the next marker
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        code = data[at + 1]
        # fill bytes, or a marker without a body
        if code in (0, 1, 0xFF) or 0xD0 <= code <= 0xD8:
            at += 1 if code == 0xFF else 2
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        if size < 2 or at + 2 + size > len(data):
            raise FileError(f"{path} is truncated: a segment of its header ends beyond the end of the file")
        yield code, at, data[at + 4 : at + 2 + size]
        if code == 0xDA:
            return
        at += 2 + size


# --- writing ------------------------------------------------------------------------------------------
