"""JPEG XL, integers and floats, with gain maps. Source: ISO/IEC 18181-1 and -2:2024.

The ICC profile comes from the libjxl within imagecodecs (imagecodecs itself does not return it); libjxl, decode.h.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.image.color import convert
from hdrq.image.transfer import hlg_to_nits, pq_to_nits, srgb_to_linear
from hdrq.io import gain_map, icc
from hdrq.io.arrange import codes, planes
from hdrq.io.atomic import atomic
from hdrq.io.color import Meaning, luminance, points_of
from hdrq.io.isobmff import boxes
from hdrq.io.jxl_header import (
    ALPHA,
    BLACK,
    Header,
    as_float,
    codestream,
    parse,
    primaries_of_encoding,
    tagged,
)
from hdrq.io.memory import afford
from hdrq.records import BT709, Image

_BASIC_INFO, _COLOR_ENCODING = 0x40, 0x100
# the profile of the file, not of the decoded pixels
_ORIGINAL = 0
# version 0.9.0, the first with this form of the calls
_OLDEST = 9_000
# bytes
_LARGEST = 4 << 20


def read(path: Path, *, alpha: bool = False, layer: str | None = None) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]; where the curve is linear, 1.0 is the file's intensity target in cd/m².

    Of integers, the default of libjxl's encoder (255) is not taken as stated.
    """
    data = path.read_bytes()
    if layer not in (None, *gain_map.LAYERS):
        raise UsageError(f"{path}: a JPEG XL has the layers {', '.join(gain_map.LAYERS)}, not '{layer}'")
    image = _image(path, data, alpha)
    bundle = _bundle(path, data)
    if bundle is None:
        if layer == "hdr":
            raise UsageError(f"{path} has no gain map and therefore no layer hdr; leave the layer out")
        return image
    if layer == "base":
        return image.with_pixels(image.pixels, notes=(*image.notes, "gain map not applied: base image read"))
    numbers, colour, profile, stream = bundle
    try:
        gain = gain_map.from_iso(numbers, path)
    except gain_map.UnknownVersion as error:
        if layer is not None:
            raise
        return image.with_pixels(image.pixels, notes=(*image.notes, error.note))
    alternate = primaries_of_encoding(colour) if colour else None
    if profile and not alternate and not gain.base_primaries:
        raise FileError(
            f"{path}: a gain map in the primaries of a colour profile is not supported in JPEG XL; read layer base"
        )
    code = _image(path, stream, False).pixels
    return gain_map.rendition(image, code, gain, layer or "hdr", alternate)


def layers(path: Path) -> tuple[str, ...]:
    """The layers of a file: ("hdr", "base") with a gain map, () without."""
    return ("hdr", "base") if _bundle(path, path.read_bytes()) else ()


def _image(path: Path, data: bytes, alpha: bool) -> Image:
    try:
        stream = codestream(path, data)
        head = parse(stream)
    except (ValueError, struct.error, IndexError) as error:
        raise FileError(f"{path} is damaged: its header cannot be decoded") from error
    afford(path, head.width, head.height, 32 * (3 + len(head.extra)))
    if BLACK in head.extra:
        raise FileError(f"{path}: CMYK is not supported in JPEG XL; convert it to RGB")
    meaning, notes = head.meaning, head.notes
    profile = profile_of(data) if head.profile else b""
    # libjxl then returns linear BT.709 light
    if head.profile and head.xyb:
        rows = _decoded(as_float(stream, head), head)
        own = icc.understand(profile, []).primaries if profile else BT709
        meaning = Meaning("srgb", own, lambda light: convert(light, BT709, own))
        notes.append("lossy JPEG XL with a colour profile: decoded to linear light, converted to sRGB code")
    else:
        rows = _decoded(data, head)
        if profile:
            meaning = icc.understand(profile, notes)
        elif head.profile:
            notes.append(
                "colour profile of a lossless JPEG XL cannot be read on this system: code assumed to be sRGB"
            )
    if head.extra and set(head.extra) != {ALPHA}:
        notes.append(f"{len(head.extra)} extra channels not read")
    colours = 1 if rows.ndim == 2 or rows.shape[2] in (1, 2) else 3
    if rows.ndim == 3 and ALPHA not in head.extra:
        rows = rows[..., :colours]
    pixels = meaning.apply(planes(rows, _most(rows, head), notes, alpha, head.premultiplied))
    white = luminance(head.intensity, "intensity target", notes) if meaning.domain == "linear" else None
    # the encoder's default, which nobody stated
    if head.bits is not None and white == _SDR:
        white = None
    return Image(pixels, meaning.domain, meaning.primaries, head.bits, white, tuple(notes), str(path))


def _decoded(data: bytes, head: Header) -> np.ndarray:
    import imagecodecs

    rows: np.ndarray = imagecodecs.jpegxl_decode(data, numthreads=1)
    if rows.ndim == 4:
        head.notes.append(f"animation: first of {len(rows)} frames read")
        rows = rows[0]
    return rows


def _most(rows: np.ndarray, head: Header) -> float:
    """The code of white."""
    if rows.dtype.kind == "f":
        return 1.0
    own = 2.0 ** (head.bits or 8) - 1
    return own if int(rows.max(initial=0)) <= own else float(np.iinfo(rows.dtype).max)


def _bundle(path: Path, data: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """(ISO 21496-1 metadata, colour encoding and compressed profile of the alternate, codestream of the map) of jhgm.

    Source: ISO/IEC 18181-2, gain map bundle.
    """
    if data[:2] == b"\xff\x0a":
        return None
    for kind, start, stop in boxes(path, data, 0, len(data)):
        if kind == b"jhgm":
            try:
                (size,) = struct.unpack_from(">H", data, start + 1)
                at = start + 3 + size
                colour = data[at]
                (profile,) = struct.unpack_from(">I", data, at + 1 + colour)
            except (struct.error, IndexError) as error:
                raise FileError(
                    f"{path} is damaged: its gain map cannot be decoded; read layer base"
                ) from error
            after = at + 5 + colour
            return (
                data[start + 3 : start + 3 + size],
                data[at + 1 : at + 1 + colour],
                data[after : after + profile],
                data[after + profile : stop],
            )
    return None


def write(path: Path, image: Image, *, bits: int | None = None, quality: int = 100) -> tuple[str, ...]:
    """8 to 16 bits of code with code points; lossless at quality 100.

    bits     default: the image's own where at most 8, and 8 for lossy sRGB code in BT.709, else 16
    quality  1 to 99: lossy
    """
    import imagecodecs

    if image.domain == "nits":
        raise DomainError(
            f"{path}: JPEG XL is written as code, not cd/m²; encode the image first (hdrq encode --to pq) or write .exr"
        )
    points = points_of(image.domain, image.primaries)
    # P3 is primaries 11, with the white point stated separately
    points = (11, points[1]) if points and points[0] == 12 else points
    if points is None or image.primaries.name == "xyz":
        raise DomainError(
            f"{path}: JPEG XL has no code points for {image.domain} code in {image.primaries.name} primaries; write .png or .exr"
        )
    plain = (image.domain, image.primaries) == ("srgb", BT709)
    few = (quality < 100 and plain) or (image.bits is not None and image.bits <= 8)
    if bits is None:
        bits = 8 if few else 16
    if not 8 <= bits <= 16:
        raise UsageError(f"JPEG XL is written with 8 to 16 bits, not {bits}")
    if not 1 <= quality <= 100:
        raise UsageError(f"JPEG XL is written with quality 1 to 100, not {quality}")
    rows, notes = codes(image.pixels, bits, 1.0, path)
    white = _INTENSITY.get(image.domain, image.white_nits or _SDR)
    if quality < 100:
        how: dict[str, Any] = {"lossless": False, "distance": _distance(quality)}
    else:
        how = {"lossless": True, "bitspersample": bits}
    lossy_code = quality < 100 and not (plain and bits == 8)
    given = _as_light(rows, image, bits, white) if lossy_code else rows
    coded = imagecodecs.jpegxl_encode(given, usecontainer=False, numthreads=1, **how)
    # above 12 bits the encoder adds boxes, which are not needed
    data = codestream(path, bytes(coded))
    head = parse(data)
    # otherwise 8 bits of sRGB
    if "colour" in head.spans:
        data = tagged(data, head, points, white, bits if lossy_code else 0)
    with atomic(path) as part:
        part.write_bytes(data)
    return tuple(notes)


# cd/m² of 1.0 of the light that the encoder is given, libjxl's default
_SDR = 255.0
_INTENSITY = {"pq": 10_000.0, "hlg": 1000.0}


def _as_light(rows: np.ndarray, image: Image, bits: int, white: float) -> np.ndarray:
    """Code as the encoder takes it for lossy compression: light in BT.709, not clipped, 1.0 at 255 cd/m²; (H, W[, 3])."""
    code = torch.from_numpy(rows / (2**bits - 1.0))
    code = (code[None] if code.dim() == 2 else code.movedim(-1, 0))[None]
    light = {
        "pq": pq_to_nits,
        "hlg": lambda v: hlg_to_nits(v, white),
        "linear": lambda v: v * white,
    }.get(image.domain, lambda v: srgb_to_linear(v) * _SDR)(code)
    light = convert(light / _SDR, image.primaries, BT709)[0].movedim(0, -1).float().numpy()
    return np.ascontiguousarray(light[..., 0] if light.shape[-1] == 1 else light)


def _distance(quality: int) -> float:
    """Butteraugli distance of a quality of 1 to 99. Source: JxlEncoderDistanceFromQuality of libjxl."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def profile_of(data: bytes) -> bytes:
    """The profile's bytes; empty where the library is not found or reports that there is none."""
    library = _libjxl()
    if library is None:
        return b""
    decoder = library.JxlDecoderCreate(None)
    if not decoder:
        return b""
    try:
        library.JxlDecoderSubscribeEvents(decoder, _BASIC_INFO | _COLOR_ENCODING)
        library.JxlDecoderSetInput(decoder, data, len(data))
        library.JxlDecoderCloseInput(decoder)
        while (event := library.JxlDecoderProcessInput(decoder)) == _BASIC_INFO:
            pass
        size = ctypes.c_size_t()
        if event != _COLOR_ENCODING or library.JxlDecoderGetICCProfileSize(
            decoder, _ORIGINAL, ctypes.byref(size)
        ):
            return b""
        if not 128 < size.value < _LARGEST:
            return b""
        out = ctypes.create_string_buffer(size.value)
        failed = library.JxlDecoderGetColorAsICCProfile(decoder, _ORIGINAL, out, size)
        return b"" if failed else out.raw
    finally:
        library.JxlDecoderDestroy(decoder)


@cache
def _libjxl() -> Any:
    """The shared library within imagecodecs' wheel, or None (on systems where it is linked statically)."""
    import imagecodecs

    # loads the library and its dependencies
    import imagecodecs._jpegxl

    home = Path(imagecodecs.__file__).parent
    for folder in (home.parent / "imagecodecs.libs", home / ".dylibs"):
        for path in sorted(folder.glob("libjxl[-.]*")):
            try:
                library = ctypes.CDLL(str(path))
                if library.JxlDecoderVersion() < _OLDEST:
                    continue
            except (OSError, AttributeError):
                continue
            pointer, size = ctypes.c_void_p, ctypes.c_size_t
            library.JxlDecoderCreate.restype = pointer
            library.JxlDecoderCreate.argtypes = [pointer]
            library.JxlDecoderDestroy.argtypes = [pointer]
            library.JxlDecoderDestroy.restype = None
            library.JxlDecoderSubscribeEvents.argtypes = [pointer, ctypes.c_int]
            library.JxlDecoderSetInput.argtypes = [pointer, ctypes.c_char_p, size]
            library.JxlDecoderCloseInput.argtypes = [pointer]
            library.JxlDecoderCloseInput.restype = None
            library.JxlDecoderProcessInput.argtypes = [pointer]
            library.JxlDecoderGetICCProfileSize.argtypes = [pointer, ctypes.c_int, ctypes.POINTER(size)]
            library.JxlDecoderGetColorAsICCProfile.argtypes = [pointer, ctypes.c_int, ctypes.c_char_p, size]
            return library
    return None
