"""Pages and sub-images of a TIFF: which one is the image, and checks before it is decoded.

Source: TIFF 6.0; Adobe PageMaker 6.0 TIFF Technical Notes (SubIFDs).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import FileError, UsageError
from hdrq.io.memory import afford

# Largest compression ratio, by compression tag, where it is bounded.
RATIO = {1: 1.0, 32773: 64.0, 5: 2000.0, 8: 1040.0, 32946: 1040.0}
READABLE = ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR", "LOGLUV", "LOGL", "SEPARATED")
RAW = ("CFA", "LINEAR_RAW")
# bits of NewSubfileType
REDUCED, MASK = 1, 4


def kind_of(page: Any) -> str:
    """The photometric interpretation; where the tag is missing, grey or RGB by the number of samples, as in libtiff."""
    if page.tags.get(262) is None:
        return "RGB" if page.samplesperpixel in (3, 4) else "MINISBLACK"
    return str(getattr(page.photometric, "name", page.photometric))


def pages_of(file: Any) -> Iterator[tuple[str, Any]]:
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


def chosen(path: Path, file: Any, part: str | int | None, notes: list[str]) -> tuple[str, Any]:
    """The selected page, or the first that is neither a thumbnail nor a mask."""
    found = list(pages_of(file))
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


def check(path: Path, page: Any) -> None:
    """Check that every strip or tile lies within the file, and that the image fits into memory."""
    size = path.stat().st_size
    kind = kind_of(page)
    if kind in RAW:
        raise FileError(f"{path} holds a camera raw mosaic; install the reader: pip install 'hdrq[raw]'")
    if not isinstance(page.bitspersample, int):
        depths = ", ".join(str(bits) for bits in page.bitspersample)
        raise FileError(
            f"{path}: TIFF with samples of {depths} bits is not supported; convert it to RGB of 8 bits"
        )
    if kind not in READABLE or page.dtype is None:
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
