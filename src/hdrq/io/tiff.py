"""TIFF: integers of code, half and float of light, LogLuv and LogL, and what libtiff converts to RGB.

Source: TIFF 6.0; Adobe PageMaker 6.0 TIFF Technical Notes (SubIFDs); Ward Larson, "LogLuv encoding for full-gamut,
high-dynamic range images", J. Graphics Tools 3(1), 1998.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.errors import FileError, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import icc, tag
from hdrq.io.arrange import orient, planes
from hdrq.io.color import Meaning, primaries_of
from hdrq.io.memory import afford
from hdrq.io.tiff_write import write as write
from hdrq.records import BT709, BT2020, XYZ, Image

# Largest compression ratio, by compression tag, where it is bounded.
RATIO = {1: 1.0, 32773: 64.0, 5: 2000.0, 8: 1040.0, 32946: 1040.0}
READABLE = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR", "LOGLUV", "LOGL", "SEPARATED")
RAW = ("CFA", "LINEAR_RAW")
REDUCED, MASK = 1, 4  # bits of NewSubfileType


def read(path: Path, *, alpha: bool = False, part: str | int | None = None) -> Image:
    """(1, 1 or 3, H, W). Floats are light as stored; integers are code: sRGB unless a profile states otherwise.

    part  number of a page, "0.1" for the second sub-image of page 0; default: the first that is not a thumbnail
    """
    import tifffile

    notes: list[str] = []
    try:
        with tifffile.TiffFile(str(path)) as file:
            number, page = _page(path, file, part, notes)
            _check(path, page)
            image = _image(path, page, number, notes, alpha)
    except (
        AttributeError,
        TypeError,
        KeyError,
        IndexError,
        ArithmeticError,
    ) as error:  # tags of invalid types
        raise FileError(f"{path} is damaged: its tags cannot be decoded") from error
    return image


def parts(path: Path) -> tuple[str, ...]:
    """Names of the pages and sub-images of a file."""
    import tifffile

    with tifffile.TiffFile(str(path)) as file:
        return tuple(name for name, _ in _pages(file))


def _image(path: Path, page: Any, number: str, notes: list[str], alpha: bool) -> Image:
    kind = page.photometric.name
    if kind in ("LOGLUV", "LOGL"):
        return _log_luv(path, page, number, notes)
    if kind == "SEPARATED":
        return _ink(path, page, notes)
    turn = int(_tag(page, 274, 1))
    if kind == "YCBCR" and int(page.compression) != 7:  # subsampled, or old-style JPEG: decoded by libtiff
        rows = _by_libtiff(path, number, asrgb=True)[..., :3]
        turn = {5: 5, 6: 6, 7: 7, 8: 8}.get(turn, 1)  # libtiff has applied the other orientations
    else:
        rows = _arranged(path, page, page.asarray(maxworkers=1))
    floats, bits = rows.dtype.kind == "f", rows.dtype.itemsize * 8
    most = 1 if floats else 2.0**bits - 1
    premultiplied = 1 in [int(e) for e in page.extrasamples[:1]]
    pixels = planes(rows, most, notes, alpha, premultiplied)
    if kind == "MINISWHITE":
        pixels = most - pixels if floats else 1 - pixels
    pixels = orient(pixels, turn, notes)
    mark = tag.parse(str(_tag(page, 270, "")))
    if mark is not None:
        meaning = Meaning(mark.domain, mark.primaries)
        pixels = pixels * mark.ceiling if mark.ceiling != 1 else pixels
    else:
        meaning = _meaning(page, floats, notes)
        pixels = meaning.apply(pixels)
    nits = _nits(page) if meaning.domain == "nits" else None
    return Image(
        pixels,
        meaning.domain,
        meaning.primaries,
        None if floats else bits,
        nits,
        notes=tuple(notes),
        path=str(path),
    )


# --- pages --------------------------------------------------------------------------------------------


def _pages(file: Any) -> Iterator[tuple[str, Any]]:
    """(name, page) of every page, each followed by its sub-images."""
    for i, page in _each(file.pages):
        yield str(i), page
        if getattr(page, "subifds", None):
            for k, inner in _each(page.pages):
                yield f"{i}.{k}", inner


def _each(pages: Any) -> Iterator[tuple[int, Any]]:
    """Pages by number; plain iteration would not end where the directories of a damaged file form a cycle."""
    for i in range(min(len(pages), 10_000)):
        try:
            yield i, pages[i]
        except IndexError:
            return


def _page(path: Path, file: Any, part: str | int | None, notes: list[str]) -> tuple[str, Any]:
    """The selected page, or the first that is neither a thumbnail nor a mask."""
    found = list(_pages(file))
    if not found:
        raise FileError(f"{path} has no pages")
    names = [name for name, _ in found]
    if part is not None:
        if str(part) not in names:
            raise UsageError(f"{path} has the pages {', '.join(names[:8])}, not '{part}'")
        return found[names.index(str(part))]
    whole = [(name, page) for name, page in found if not int(page.subfiletype) & (REDUCED | MASK)] or found
    name, page = whole[0]
    if len(found) > 1:
        small = len(found) - len(whole)
        thumbnails = f", {small} of them thumbnails or masks" if small else ""
        notes.append(f"page {name} of {len(found)} read{thumbnails}")
    return name, page


def _check(path: Path, page: Any) -> None:
    """Check that every strip or tile lies within the file, and that the image fits into memory."""
    size = path.stat().st_size
    kind = getattr(page.photometric, "name", str(page.photometric))
    if kind in RAW:
        raise FileError(f"{path} holds a camera raw mosaic; install the reader: pip install 'hdrq[raw]'")
    if page.photometric is None or kind not in READABLE or page.dtype is None:
        raise FileError(
            f"{path}: photometric interpretation {kind} with {page.bitspersample} bits is not supported; convert it to RGB"
        )
    if page.dtype.kind == "i" and kind not in ("LOGLUV", "LOGL"):
        raise FileError(
            f"{path}: signed integers are not supported, because their meaning is not defined; convert them to float"
        )
    if page.dtype.kind == "c":
        raise FileError(f"{path}: complex numbers are not supported; convert it to float")
    height, width = page.imagelength, page.imagewidth
    raw = height * width * page.samplesperpixel * page.bitspersample / 8
    ratio = RATIO.get(int(page.compression)) if kind != "YCBCR" else None
    need = page.samplesperpixel * (page.dtype.itemsize + 8)
    afford(path, width, height, need, least=raw / ratio if ratio else 0)
    if page.imagedepth != 1 or not 1 <= page.samplesperpixel <= 64:
        raise FileError(
            f"{path}: TIFF in shape {page.shape} is not supported; hdrq reads two-dimensional images"
        )
    pieces = page.chunked
    expected = int(np.prod([int(n) for n in pieces], dtype=np.int64))
    offsets, counts = page.dataoffsets, page.databytecounts
    if len(offsets) < expected or len(counts) < expected:
        raise FileError(f"{path} is damaged: {len(offsets)} of {expected} strips or tiles are listed")
    if any(o <= 0 or n <= 0 or o + n > size for o, n in zip(offsets, counts)):
        raise FileError(f"{path} is truncated: a strip or tile lies beyond its end")
    if page.is_tiled and page.tilewidth * page.tilelength > 4 * (width + 4096) * (height + 4096):
        raise FileError(f"{path} is damaged: its tiles are {page.tilewidth} x {page.tilelength} pixels")


# --- kinds of pixels ----------------------------------------------------------------------------------


def _by_libtiff(path: Path, number: str, **options: Any) -> np.ndarray:
    import imagecodecs

    if not number.isdigit():
        raise FileError(f"{path}: sub-image {number} has an unsupported type; convert it to RGB")
    rows: np.ndarray = imagecodecs.tiff_decode(path.read_bytes(), index=int(number), **options)
    return rows


def _log_luv(path: Path, page: Any, number: str, notes: list[str]) -> Image:
    """Light from CIE XYZ of LogLuv, or Y of LogL. The tag StoNits gives the cd/m² of a value of 1."""
    rows = _by_libtiff(path, number)
    if rows.ndim == 2 and rows.dtype.itemsize == 2 and rows.dtype.kind in "iu":
        rows = _from_log16(rows)
    if rows.dtype.kind != "f" or (rows.ndim == 3 and rows.shape[2] != 3):
        raise FileError(
            f"{path}: this variant of {page.photometric.name} is not supported; convert it to .hdr or .exr"
        )
    pixels = orient(planes(rows, 1, notes), int(_tag(page, 274, 1)), notes)
    primaries = XYZ if pixels.shape[1] == 3 else BT709
    return Image(pixels, "nits", primaries, white_nits=_nits(page), notes=tuple(notes), path=str(path))


def _from_log16(codes: np.ndarray) -> np.ndarray:
    """Luminance of 16-bit LogL codes: a sign and 256 (log2 Y + 64), truncated. Source: Ward Larson 1998, equation 1."""
    codes = codes.astype(np.int32) & 0xFFFF
    size = codes & 0x7FFF
    light = np.where(size == 0, 0.0, np.exp2((size + 0.5) / 256 - 64))
    return np.where(codes & 0x8000, -light, light).astype(np.float32)


def _nits(page: Any) -> float | None:
    """StoNits, the cd/m² of a value of 1, where it is stated and not 1."""
    value = _tag(page, 37439, None)
    number = float(np.ravel(value)[0]) if value is not None else 0.0
    return number if np.isfinite(number) and number > 0 and number != 1 else None


def _ink(path: Path, page: Any, notes: list[str]) -> Image:
    """CMYK converted by its colour profile to sRGB code in BT.2020 primaries."""
    profile = _tag(page, 34675, b"")
    if page.samplesperpixel != 4 or not isinstance(profile, bytes) or profile[16:20] != b"CMYK":
        raise FileError(f"{path}: CMYK without a colour profile is not supported; convert it to RGB")
    rows = page.asarray(maxworkers=1)
    rows = np.moveaxis(rows, 0, -1) if int(page.planarconfig or 1) == 2 else rows
    light = icc.transform(rows.astype(np.float32) / np.iinfo(rows.dtype).max, profile, "cmyk")
    pixels = linear_to_srgb(torch.from_numpy(light).permute(2, 0, 1)[None].contiguous())
    notes.append("CMYK converted by its colour profile: sRGB code in BT.2020 primaries")
    pixels = orient(pixels, int(_tag(page, 274, 1)), notes)
    return Image(pixels, "srgb", BT2020, bits=rows.dtype.itemsize * 8, notes=tuple(notes), path=str(path))


def _arranged(path: Path, page: Any, rows: np.ndarray) -> np.ndarray:
    """(H, W[, C]) of 8 or 16 bits, half or float."""
    if page.photometric.name == "PALETTE":
        colours = (np.asarray(page.colormap) >> 8).astype(
            np.uint8
        )  # (3, n); the low bytes are 0 or repeat the high bytes
        rows = rows[..., 0] if rows.ndim == 3 else rows  # an alpha channel beside the index is ignored
        rows = np.moveaxis(colours[:, rows.astype(np.uint16)], 0, -1)
    elif page.planarconfig is not None and int(page.planarconfig) == 2 and rows.ndim == 3:
        rows = np.moveaxis(rows, 0, -1)
    if rows.dtype == np.bool_:
        rows = rows.astype(np.uint8) * 255
    if rows.ndim not in (2, 3) or rows.dtype.kind not in "uf":
        raise FileError(
            f"{path}: {rows.dtype} in shape {rows.shape} is not supported; convert it to RGB of 8 or 16 bits"
        )
    odd = page.bitspersample not in (1, 8, 16, 32) and page.photometric.name != "PALETTE"
    if rows.dtype.kind == "u" and odd:
        rows = (rows * (65535.0 / (2**page.bitspersample - 1))).round().astype(np.uint16)
    return rows


def _tag(page: Any, code: int, default: Any) -> Any:
    found = page.tags.get(code)
    return default if found is None else found.value


def _meaning(page: Any, floats: bool, notes: list[str]) -> Meaning:
    """From the colour profile, else from the colour tags."""
    profile = _tag(page, 34675, b"")
    if isinstance(profile, bytes) and profile:
        meaning = icc.understand(profile, notes)
        return Meaning("nits", meaning.primaries) if floats else meaning
    white, colours = _tag(page, 318, ()), _tag(page, 319, ())
    primaries = BT709
    if len(white) == 4 and len(colours) == 12:
        pairs = [*colours, *white]
        ratios = [a / b if b else 0.0 for a, b in zip(pairs[::2], pairs[1::2])]
        primaries = primaries_of(ratios) or BT709
    return Meaning("nits" if floats else "srgb", primaries)
