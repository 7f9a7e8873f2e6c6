"""Files: what they hold becomes an Image that knows what it means, and the other way round."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from hdrq.errors import FileError, HdrqError, TooLarge, UsageError
from hdrq.io.atomic import atomic
from hdrq.io.formats import FORMATS, Format, by_suffix, identify, sniff
from hdrq.io.memory import afford_file
from hdrq.records import Image

__all__ = ["FORMATS", "Format", "atomic", "by_suffix", "identify", "read", "sniff", "write"]


def read(
    path: str | Path,
    *,
    layer: str | None = None,
    view: str | None = None,
    part: str | int | None = None,
    alpha: bool = False,
) -> Image:
    """One file as an Image (1, C, H, W) float32, told by its content rather than its name.

    Floats stay as they are, NaN, Inf and negatives included; integers become code in [0, 1].

    layer, view, part  which picture of an EXR (part: its name or number), page of a TIFF (part), or
                       "base" or "hdr" of an Ultra HDR JPEG (layer); None takes the main one
    alpha              keep alpha as one channel more, as stored: EXR premultiplied, the others straight
    """
    format = identify(path)
    afford_file(path)
    module = import_module(f"hdrq.io.{format.name}")
    options = _known(module, "read", format, path, {"layer": layer, "view": view, "part": part})
    try:
        return module.read(Path(path), alpha=alpha, **options)
    except HdrqError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{path} does not fit in memory; crop or shrink it") from error
    except Exception as error:  # what a codec says of a damaged file, whatever its class
        raise FileError(f"{path} is damaged: {_line(error)}") from error


def write(path: str | Path, image: Image, **options: Any) -> tuple[str, ...]:
    """One image (the first of its batch) as a file whose suffix names the format; whole or not at all.

    Returns what could not be kept, one line each. Options, where the format has them:

    depth        "half", "float" (EXR, TIFF), "uint8", "uint16" (PNG, TIFF)
    compression  of EXR (none, rle, zips, zip, piz, pxr24, b44, b44a, dwaa, dwab) or TIFF (none, zip)
    quality      of JPEG, 1 to 100
    ceiling      code that the largest integer stands for (PNG, TIFF), where code exceeds 1
    provenance   mapping of what made the picture, kept in the header
    extra        further planes of an EXR by layer name, (H, W) or (3, H, W) arrays
    """
    format = by_suffix(path)
    writers = [f for f in FORMATS if f.writes]
    if format not in writers:
        raise UsageError(f"{path}: hdrq writes {' '.join(f.suffixes[0] for f in writers)}; name one of these")
    module = import_module(f"hdrq.io.{format.name}")
    try:
        return module.write(Path(path), image, **_known(module, "write", format, path, options))
    except HdrqError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{path} cannot be written: memory ran out") from error
    except Exception as error:
        raise FileError(f"{path} cannot be written: {_line(error)}") from error


def _known(
    module: ModuleType, act: str, format: Format, path: str | Path, options: dict[str, Any]
) -> dict[str, Any]:
    """The options that were given, all of which the format must have."""
    given = {name: value for name, value in options.items() if value is not None}
    if unknown := set(given) - set(signature(getattr(module, act)).parameters):
        raise UsageError(f"{path}: {format.title} has no {' or '.join(sorted(unknown))} to choose")
    return given


def _line(error: Exception) -> str:
    """An error of another library in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
