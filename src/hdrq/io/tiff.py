"""TIFF: 8 and 16 bits of code, or half and float of light. The first page, unless another is asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import DomainError, FileError, UsageError
from hdrq.io import icc, tag
from hdrq.io.arrange import codes, orient, planes
from hdrq.io.atomic import atomic
from hdrq.io.gamut import flat, primaries_of
from hdrq.io.memory import afford
from hdrq.io.quiet import quiet
from hdrq.records import BT709, Image, Primaries

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else it would print to stderr
# How many times smaller than its pixels a file can get, by compression tag, where there is a bound.
RATIO = {1: 1.0, 32773: 64.0, 5: 2000.0, 8: 1040.0, 32946: 1040.0}
READABLE = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR")


def read(path: Path, *, alpha: bool = False, part: str | int | None = None) -> Image:
    """(1, 1 or 3, H, W). Floats are light as they stand, integers code: sRGB unless a profile says more."""
    import tifffile

    notes: list[str] = []
    try:
        with quiet(), tifffile.TiffFile(str(path)) as file:
            page = _page(path, file, part, notes)
            _check(path, page)
            rows = page.asarray(maxworkers=1)
            rows = _arranged(path, page, rows)
            kind, bits = rows.dtype.kind, rows.dtype.itemsize * 8
            most = 1 if kind == "f" else 2.0**bits - 1
            pixels = planes(rows, most, notes, alpha)
            if page.photometric.name == "MINISWHITE":
                pixels = most - pixels if kind == "f" else 1 - pixels
            pixels = orient(pixels, int(_tag(page, 274, 1)), notes)
            domain, primaries = _meaning(page, kind, notes)
            mark = tag.parse(str(_tag(page, 270, "")))
    except (
        AttributeError,
        TypeError,
        KeyError,
        IndexError,
        ArithmeticError,
    ) as error:  # tags of impossible kinds
        raise FileError(f"{path} is damaged: its tags do not decode") from error
    if mark is not None:
        domain, primaries = mark.domain, mark.primaries
        pixels = pixels * mark.ceiling if mark.ceiling != 1 else pixels
    return Image(pixels, domain, primaries, None if kind == "f" else bits, notes=tuple(notes), path=str(path))


def _page(path: Path, file: Any, part: str | int | None, notes: list[str]) -> Any:
    wanted = 0 if part is None else part
    count = len(file.pages)
    if not str(wanted).isdigit() or int(wanted) >= count:
        raise UsageError(f"{path} has pages 0 to {count - 1}, not '{part}'")
    if count > 1 and part is None:
        notes.append(f"page 0 of {count} read")
    return file.pages[int(wanted)]


def _check(path: Path, page: Any) -> None:
    """Every strip or tile lies within the file, and the whole is affordable."""
    size = path.stat().st_size
    if page.photometric is None or page.photometric.name not in READABLE or page.dtype is None:
        kind = getattr(page.photometric, "name", page.photometric)
        raise FileError(f"{path} is a TIFF of kind {kind}, {page.bitspersample} bits; convert it to RGB")
    height, width = page.imagelength, page.imagewidth
    raw = height * width * page.samplesperpixel * page.bitspersample / 8
    ratio = RATIO.get(int(page.compression))
    need = page.samplesperpixel * (page.dtype.itemsize + 8)
    afford(path, width, height, need, least=raw / ratio if ratio else 0)
    if page.imagedepth != 1 or not 1 <= page.samplesperpixel <= 64:
        raise FileError(f"{path} is no flat picture: {page.shape}")
    pieces = page.chunked
    expected = int(np.prod([int(n) for n in pieces], dtype=np.int64))
    offsets, counts = page.dataoffsets, page.databytecounts
    if len(offsets) < expected or len(counts) < expected:
        raise FileError(f"{path} is damaged: {len(offsets)} of {expected} strips or tiles are listed")
    if any(o <= 0 or n <= 0 or o + n > size for o, n in zip(offsets, counts)):
        raise FileError(f"{path} is truncated: a strip or tile lies beyond its end")
    if page.is_tiled and page.tilewidth * page.tilelength > 4 * (width + 4096) * (height + 4096):
        raise FileError(f"{path} is damaged: its tiles are {page.tilewidth} x {page.tilelength} pixels")


def _arranged(path: Path, page: Any, rows: np.ndarray) -> np.ndarray:
    """(H, W[, C]) of 8 or 16 bits, half or float."""
    if page.photometric.name == "PALETTE":
        colours = (np.asarray(page.colormap) >> 8).astype(np.uint8)  # (3, n); the low bytes are 0 or repeat
        rows = np.moveaxis(colours[:, rows], 0, -1)
    elif page.planarconfig is not None and int(page.planarconfig) == 2 and rows.ndim == 3:
        rows = np.moveaxis(rows, 0, -1)
    if rows.dtype == np.bool_:
        rows = rows.astype(np.uint8) * 255
    if rows.ndim not in (2, 3) or rows.dtype.kind not in "uf":
        raise FileError(
            f"{path} holds {rows.dtype} in shape {rows.shape}; hdrq reads unsigned integers and floats"
        )
    if (
        rows.dtype.kind == "u"
        and page.bitspersample not in (1, 8, 16, 32)
        and page.photometric.name != "PALETTE"
    ):
        rows = (rows * (65535.0 / (2**page.bitspersample - 1))).round().astype(np.uint16)
    return rows


def _tag(page: Any, code: int, default: Any) -> Any:
    found = page.tags.get(code)
    return default if found is None else found.value


def _meaning(page: Any, kind: str, notes: list[str]) -> tuple[str, Primaries]:
    """(domain, primaries) by profile, else by the colour tags."""
    profile = _tag(page, 34675, b"")
    if isinstance(profile, bytes) and profile:
        domain, primaries = icc.understand(profile, notes)
        return ("nits" if kind == "f" else domain), primaries
    white, colours = _tag(page, 318, ()), _tag(page, 319, ())
    primaries = BT709
    if len(white) == 4 and len(colours) == 12:
        pairs = [*colours, *white]
        ratios = [a / b if b else 0.0 for a, b in zip(pairs[::2], pairs[1::2])]
        primaries = primaries_of(ratios) or BT709
    return ("nits" if kind == "f" else "srgb"), primaries


def write(
    path: Path,
    image: Image,
    *,
    depth: str | None = None,
    compression: str = "zip",
    ceiling: float = 1.0,
    provenance: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Depth uint8, uint16, half or float; by default float for light, else the image's own bits, else 16."""
    import tifffile

    light = image.domain in ("nits", "linear")
    whole = "uint8" if image.bits is not None and image.bits <= 8 else "uint16"
    depth = depth or ("float" if light else whole)
    if depth not in ("uint8", "uint16", "half", "float") or compression not in ("zip", "none"):
        raise UsageError(f"TIFF is uint8, uint16, half or float and zip or none; not {depth}, {compression}")
    if depth.startswith("uint"):
        if image.domain == "nits":
            raise DomainError(f"{path}: integers hold code, not cd/m²; encode it first or write depth float")
        rows, notes = codes(image.pixels, 8 if depth == "uint8" else 16, ceiling, path)
    else:
        values = image.pixels[0].detach().float().cpu().permute(1, 2, 0).numpy()
        lost = int((np.isfinite(values) & (np.abs(values) > 65504)).sum()) if depth == "half" else 0
        if lost:
            raise UsageError(f"{path}: {lost} values exceed 65504, the largest half; write float")
        rows, notes = values.astype(np.float16 if depth == "half" else np.float32), []
        rows, ceiling = (rows[..., 0] if rows.shape[2] == 1 else rows), 1.0
    *colours, wx, wy = (round(v * 1e6) for v in flat(image.primaries))
    tags = [  # WhitePoint and PrimaryChromaticities, as pairs of numerator and denominator
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
        )
    return tuple(notes)
