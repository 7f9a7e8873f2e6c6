"""PNG of 1 to 16 bits. The meaning of code comes from cICP, else iCCP, sRGB, gAMA and cHRM; the default is sRGB.

Source: Portable Network Graphics (Third Edition), W3C 2025.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.image.transfer import pq_to_nits
from hdrq.io import exif, icc, tag
from hdrq.io.arrange import codes, planes, refuse_ceiling
from hdrq.io.atomic import atomic
from hdrq.io.color import Meaning, code_points, flat, points_of, power, primaries_of
from hdrq.io.memory import afford
from hdrq.records import BT709, Image, Primaries

# by colour type; a palette may include alpha
CHANNELS = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
# bytes of a decompressed profile or text
DEEPEST = 1 << 20


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]."""
    import imagecodecs

    data = path.read_bytes()
    chunks, bare = _chunks(path, data)
    width, height, bits, kind, _, _, interlace = struct.unpack(">IIBBBBB", chunks["IHDR"])
    if kind not in CHANNELS or bits not in (1, 2, 4, 8, 16) or interlace > 1:
        raise FileError(f"{path} is damaged: colour type {kind} with {bits} bits is not valid")
    packed = width * height * bits * {2: 3, 4: 2, 6: 4}.get(kind, 1) / 8
    # deflate compresses at most 1032 times
    afford(path, width, height, CHANNELS[kind] * 8, least=packed / 1040)
    notes: list[str] = []
    if "acTL" in chunks:
        notes.append("animation: first image read")
    if (turn := exif.orientation(chunks.get("eXIf", b""))) != 1:
        notes.append(f"EXIF orientation {turn} not applied: pixels in the order of the file")
    rows = imagecodecs.png_decode(bare)
    meaning = _meaning(chunks, notes)
    pixels = planes(rows, 65535 if rows.dtype == np.uint16 else 255, notes, alpha)
    if len(limits := chunks.get("cICP", b"")) == 4 and limits[3] == 0:
        scale = 219 * 2 ** (bits - 8) / (2**bits - 1)
        pixels = (pixels - scale * 16 / 219) / scale
        notes.append("narrow range (16..235 of 255) expanded")
    domain, primaries = meaning.domain, meaning.primaries
    mark = tag.parse(chunks.get("tEXt", b"").partition(b"\0")[2].decode("latin-1"))
    if mark is not None:
        domain, primaries = mark.domain, mark.primaries
        pixels = pixels * mark.ceiling if mark.ceiling != 1 else pixels
    else:
        pixels = meaning.apply(pixels)
    depth = 8 if kind == 3 else bits
    return Image(pixels, domain, primaries, bits=depth, notes=tuple(notes), path=str(path))


def _chunks(path: Path, data: bytes) -> tuple[dict[str, bytes], bytes]:
    """The first chunk of each type, and the file without chunks that the decoder does not need."""
    found: dict[str, bytes] = {}
    bare = [data[:8]]
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8].decode("latin-1")
        end = at + 12 + size
        if end > len(data):
            raise FileError(f"{path} is truncated: chunk {kind!r} ends beyond the file")
        whole = zlib.crc32(memoryview(data)[at + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0]
        if not whole and not data[at + 4] & 32:
            raise FileError(f"{path} is damaged: the checksum of its {kind!r} chunk is wrong")
        if at == 8 and (kind != "IHDR" or size != 13):
            raise FileError(f"{path} is damaged: it does not begin with its header")
        if kind == "IEND":
            if "IDAT" not in found:
                break
            return found, b"".join((*bare, data[at:end]))
        if not data[at + 4] & 32 or (whole and kind == "tRNS"):
            bare.append(data[at:end])
        body = data[at + 8 : end - 4] if kind != "IDAT" else b""
        if whole and (kind not in found or (kind == "tEXt" and body.startswith(b"hdrq\0"))):
            found[kind] = body
        at = end
    raise FileError(f"{path} is truncated: it ends before its pixels do")


def _meaning(chunks: Mapping[str, bytes], notes: list[str]) -> Meaning:
    """From the chunk of highest priority: cICP, iCCP, sRGB, then gAMA with cHRM."""
    if len(code := chunks.get("cICP", b"")) == 4:
        return code_points(code[0], code[1], notes)
    if profile := chunks.get("iCCP"):
        _, _, rest = profile.partition(b"\0")
        try:
            return icc.understand(zlib.decompressobj().decompress(rest[1:], DEEPEST), notes)
        except zlib.error:
            notes.append("colour profile damaged: assumed sRGB")
    if "sRGB" in chunks:
        return Meaning()
    primaries = BT709
    if len(chrm := chunks.get("cHRM", b"")) == 32:
        # y of ACES blue is negative
        wx, wy, *colours = (v / 1e5 for v in struct.unpack(">8i", chrm))
        if (found := primaries_of([*colours, wx, wy])) is None:
            notes.append("cHRM ignored: its primaries do not span a triangle")
        primaries = found or BT709
    if len(gama := chunks.get("gAMA", b"")) == 4:
        gamma = struct.unpack(">I", gama)[0] / 1e5
        if abs(gamma - 1) < 0.01:
            return Meaning("linear", primaries)
        # 0.45455 is what encoders write for sRGB
        if not 0.44 < gamma < 0.47 and 0.1 < gamma < 10:
            notes.append(f"gAMA {gamma:.5g} applied: converted to sRGB code of the same light")
            return Meaning("srgb", primaries, power(1 / gamma))
    return Meaning("srgb", primaries)


def write(
    path: Path,
    image: Image,
    *,
    depth: str | None = None,
    ceiling: float = 1.0,
    display: Sequence[float] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """8 or 16 bits ("uint8", "uint16"; default: the image's own, else 16), with cICP where it exists for the image.

    For PQ, the content light level is written too (cLLI).
    display  (peak, black) of the mastering display in cd/m², written as mDCV with the image's primaries
    """
    import imagecodecs

    refuse_ceiling(ceiling, path)
    if image.domain == "nits":
        raise DomainError(
            f"{path}: PNG stores code, not cd/m²; encode the image first (hdrq encode --to pq) or write .exr"
        )
    depth = depth or ("uint8" if image.bits is not None and image.bits <= 8 else "uint16")
    if depth not in ("uint8", "uint16"):
        raise UsageError(f"PNG has no depth '{depth}'; choose uint8 or uint16")
    bits = 8 if depth == "uint8" else 16
    rows, notes = codes(image.pixels, bits, ceiling, path)
    data = imagecodecs.png_encode(rows)
    extra = b""
    plain = image.domain == "srgb" and image.primaries == BT709
    points = points_of(image.domain, image.primaries)
    if points and not plain:
        extra += _chunk(b"cICP", bytes((*points, 0, 1)))
    elif image.primaries != BT709:
        *colours, wx, wy = (round(v * 1e5) for v in flat(image.primaries))
        extra += _chunk(b"cHRM", struct.pack(">8i", wx, wy, *colours))
    if display is not None:
        extra += _chunk(b"mDCV", _mastering(image.primaries, display))
    if image.domain == "pq":
        extra += _chunk(b"cLLI", struct.pack(">II", *(round(10_000 * v) for v in light_level(image))))
    if plain:
        extra += _chunk(b"sRGB", b"\0")
    elif image.domain == "linear":
        extra += _chunk(b"gAMA", struct.pack(">I", 100_000))
    if provenance or ceiling != 1 or not points:
        extra += _chunk(b"tEXt", b"hdrq\0" + tag.compose(image, ceiling, provenance).encode("ascii"))
    with atomic(path) as part:
        # 8 bytes of signature, 25 of IHDR
        part.write_bytes(data[:33] + extra + data[33:])
    return tuple(notes)


def light_level(image: Image) -> tuple[float, float]:
    """(MaxCLL, MaxFALL) of PQ code: the largest channel value of a pixel, its maximum and mean over the image, cd/m².

    Source: CTA-861.3-A, annex P.
    """
    brightest = pq_to_nits(image.pixels[:1].detach().double().cpu()).amax(1)
    return float(brightest.max()), float(brightest.mean())


def _mastering(primaries: Primaries, display: Sequence[float]) -> bytes:
    """Chromaticities in steps of 0.00002, luminances in steps of 0.0001 cd/m². Source: PNG 3, 11.3.2.7."""
    if len(display) != 2:
        raise UsageError(
            f"display is the peak and the black of a mastering display, not {len(display)} numbers"
        )
    peak, black = display
    if not 0 <= black < peak <= 10_000:
        raise UsageError(
            f"the mastering display needs black < peak <= 10,000 cd/m², not {black:g} and {peak:g}"
        )
    points = (round(v * 50_000) for v in flat(primaries))
    return struct.pack(">8H2I", *points, round(peak * 10_000), round(black * 10_000))


def mastering(path: Path) -> dict[str, float]:
    """mDCV and cLLI, cd/m²: peak_nits and black_nits of the mastering display, max_cll, max_fall."""
    chunks, _ = _chunks(path, path.read_bytes())
    found: dict[str, float] = {}
    if len(body := chunks.get("mDCV", b"")) == 24:
        peak, black = struct.unpack_from(">2I", body, 16)
        found |= {"peak_nits": peak / 10_000, "black_nits": black / 10_000}
    if len(body := chunks.get("cLLI", b"")) == 8:
        most, mean = struct.unpack(">2I", body)
        found |= {"max_cll": most / 10_000, "max_fall": mean / 10_000}
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
