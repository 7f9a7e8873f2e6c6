"""TIFF: integers of code, half and float of light, LogLuv, LogL, and what libtiff converts to RGB; primaries in tags.

Source: TIFF 6.0; Adobe PageMaker 6.0 TIFF Technical Notes (SubIFDs); Ward Larson, "LogLuv encoding for full-gamut,
high-dynamic range images", J. Graphics Tools 3(1), 1998.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import icc, tag
from hdrq.io.arrange import codes, orient, planes, refuse_ceiling
from hdrq.io.atomic import atomic
from hdrq.io.color import Meaning, flat, primaries_of
from hdrq.io.tiff_pages import check, chosen, kind_of, pages_of
from hdrq.records import BT709, BT2020, XYZ, Image

# compressions by CCITT codes
FAX = (2, 3, 4, 32771)


def read(path: Path, *, alpha: bool = False, part: str | int | None = None) -> Image:
    """(1, 1 or 3, H, W). Floats are light as stored; integers are code: sRGB unless a profile states otherwise.

    part  number of a page, "0.1" for the second sub-image of page 0; default: the first that is not a thumbnail
    """
    import tifffile

    notes: list[str] = []
    try:
        with tifffile.TiffFile(str(path)) as file:
            number, page = chosen(path, file, part, notes)
            check(path, page)
            image = _image(path, page, number, notes, alpha)
    except (
        AttributeError,
        TypeError,
        KeyError,
        IndexError,
        ArithmeticError,
        # tags of invalid types
    ) as error:
        raise FileError(f"{path} is damaged: its tags cannot be decoded") from error
    return image


def parts(path: Path) -> tuple[str, ...]:
    """Names of the pages and sub-images of a file."""
    import tifffile

    with tifffile.TiffFile(str(path)) as file:
        return tuple(name for name, _ in pages_of(file))


def _image(path: Path, page: Any, number: str, notes: list[str], alpha: bool) -> Image:
    kind = kind_of(page)
    if page.tags.get(262) is None:
        notes.append(f"photometric interpretation not stated: assumed {kind}")
    if kind in ("LOGLUV", "LOGL"):
        return _log_luv(path, page, number, notes)
    if kind == "SEPARATED":
        return _ink(path, page, notes)
    turn = int(_tag(page, 274, 1))
    # subsampled, or old-style JPEG: decoded by libtiff
    if kind == "YCBCR" and int(page.compression) != 7:
        rows = _by_libtiff(path, number, asrgb=True)[..., :3]
        # libtiff has applied the other orientations
        turn = {5: 5, 6: 6, 7: 7, 8: 8}.get(turn, 1)
    else:
        rows = _arranged(path, page, _stored(path, page, number))
    floats, bits = rows.dtype.kind == "f", _depth(page, rows)
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


# --- kinds of pixels ----------------------------------------------------------------------------------


def _stored(path: Path, page: Any, number: str) -> np.ndarray:
    """The samples as stored. Fax codes, and what tifffile's decoders refuse, are decoded by libtiff.

    imagecodecs 2026.3.6 decodes some files of CCITT group 4 to white from a line in the middle on, without an error.
    """
    if int(page.compression) in FAX and number.isdigit():
        return _by_libtiff(path, number)
    try:
        rows: np.ndarray = page.asarray(maxworkers=1)
    except Exception:
        if not number.isdigit():
            raise
        with suppress(Exception):
            return _by_libtiff(path, number)
        raise
    return rows


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
            f"{path}: this variant of {kind_of(page)} is not supported; convert it to .hdr or .exr"
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
    if kind_of(page) == "PALETTE":
        # (3, n); the low bytes are 0 or repeat the high bytes
        colours = (np.asarray(page.colormap) >> 8).astype(np.uint8)
        # an alpha channel beside the index is ignored
        rows = rows[..., 0] if rows.ndim == 3 else rows
        rows = np.moveaxis(colours[:, rows.astype(np.uint16)], 0, -1)
    elif page.planarconfig is not None and int(page.planarconfig) == 2 and rows.ndim == 3:
        rows = np.moveaxis(rows, 0, -1)
    if rows.dtype == np.bool_:
        rows = rows.astype(np.uint8) * 255
    if rows.ndim not in (2, 3) or rows.dtype.kind not in "uf":
        raise FileError(
            f"{path}: {rows.dtype} in shape {rows.shape} is not supported; convert it to RGB of 8 or 16 bits"
        )
    return rows


def _depth(page: Any, rows: np.ndarray) -> int:
    """Bits of a sample, of which 2 to 7 and 9 to 15 are stored in the next larger integers."""
    held = rows.dtype.itemsize * 8
    stored = int(page.bitspersample)
    return stored if 1 < stored < held and rows.dtype.kind == "u" and kind_of(page) != "PALETTE" else held


def _tag(page: Any, code: int, default: Any) -> Any:
    found = page.tags.get(code)
    return default if found is None else found.value


def _meaning(page: Any, floats: bool, notes: list[str]) -> Meaning:
    """From the colour profile, else from the colour tags."""
    profile = _tag(page, 34675, b"")
    if isinstance(profile, bytes) and profile:
        meaning = icc.understand(profile, notes)
        if floats and meaning.domain != "linear":
            notes.append(
                "floats of code by the curve of the colour profile; --domain nits takes them as light"
            )
        return Meaning("nits", meaning.primaries) if floats and meaning.domain == "linear" else meaning
    white, colours = _tag(page, 318, ()), _tag(page, 319, ())
    primaries = BT709
    if len(white) == 4 and len(colours) == 12:
        pairs = [*colours, *white]
        ratios = [a / b if b else 0.0 for a, b in zip(pairs[::2], pairs[1::2])]
        primaries = primaries_of(ratios) or BT709
    return Meaning("nits" if floats else "srgb", primaries)


def write(
    path: Path,
    image: Image,
    *,
    depth: str | None = None,
    compression: str = "zip",
    ceiling: float = 1.0,
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Depth uint8, uint16, half or float; default: float for light, else the image's own bits, else 16."""
    import tifffile

    refuse_ceiling(ceiling, path)
    light = image.domain in ("nits", "linear")
    integer = "uint8" if image.bits is not None and image.bits <= 8 else "uint16"
    depth = depth or ("float" if light else integer)
    if depth not in ("uint8", "uint16", "half", "float") or compression not in ("zip", "none"):
        raise UsageError(
            f"TIFF has depth uint8, uint16, half or float and compression zip or none, not {depth}, {compression}"
        )
    if depth.startswith("uint"):
        if image.domain == "nits":
            raise DomainError(
                f"{path}: integers store code, not cd/m²; encode the image first or write depth float"
            )
        rows, notes = codes(image.pixels, 8 if depth == "uint8" else 16, ceiling, path)
    else:
        values = image.pixels[0].detach().float().cpu().permute(1, 2, 0).numpy()
        lost = int((np.isfinite(values) & (np.abs(values) > 65504)).sum()) if depth == "half" else 0
        if lost:
            raise UsageError(f"{path}: {lost} values exceed 65504, the largest half; write float")
        rows, notes = values.astype(np.float16 if depth == "half" else np.float32), []
        rows, ceiling = (rows[..., 0] if rows.shape[2] == 1 else rows), 1.0
    *colours, wx, wy = (round(v * 1e6) for v in flat(image.primaries))
    # WhitePoint and PrimaryChromaticities, as pairs of numerator and denominator
    tags = [
        (318, 5, 2, (max(wx, 0), 10**6, max(wy, 0), 10**6), True),
        (319, 5, 6, tuple(n for v in colours for n in (max(v, 0), 10**6)), True),
    ]
    with atomic(path) as part:
        tifffile.imwrite(
            part,
            np.ascontiguousarray(rows),
            photometric="rgb" if rows.ndim == 3 else "minisblack",
            compression="zlib" if compression == "zip" else None,
            predictor=compression == "zip",
            description=tag.compose(image, ceiling, provenance),
            metadata=None,
            extratags=tags,
            iccprofile=icc.profile(image.primaries)
            if image.domain == "srgb" and image.primaries != BT709
            else None,
        )
    return tuple(notes)
