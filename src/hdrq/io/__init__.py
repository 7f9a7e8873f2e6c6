"""Files: what they hold becomes an Image that knows what it means, and the other way round."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hdrq.errors import FileError, HdrqError, TooLarge
from hdrq.io.atomic import atomic
from hdrq.io.formats import FORMATS, Format, by_suffix, identify, sniff
from hdrq.types import Image

__all__ = ["FORMATS", "Format", "atomic", "by_suffix", "identify", "read", "sniff"]


def read(
    path: str | Path,
    *,
    layer: str | None = None,
    view: str | None = None,
    part: str | int | None = None,
    alpha: bool = False,
) -> Image:
    """One file as an Image (1, C, H, W) float32, told by its content rather than its name.

    layer, view, part  which picture of an EXR (part: its name or number); None takes the main one
    alpha              keep alpha as one channel more, as stored: EXR premultiplied, the others straight
    """
    format = identify(path)
    module = import_module(f"hdrq.io.{format.name}")
    options = {"layer": layer, "view": view, "part": part} if format.name == "exr" else {}
    try:
        return module.read(Path(path), alpha=alpha, **options)
    except HdrqError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{path} does not fit in memory") from error
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"{path} is damaged: {reason}") from error
