"""WebP and GIF, decoded by imageio. Source: RFC 9649; GIF89a."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hdrq.errors import FileError, TooLarge
from hdrq.io import exif, icc
from hdrq.io.arrange import orient, planes
from hdrq.io.color import Meaning
from hdrq.io.memory import afford
from hdrq.records import Image


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]; the first frame of an animation."""
    import imageio.v3 as iio

    notes: list[str] = []
    try:
        file = iio.imopen(path, "r", plugin="pillow")
    # imageio only reports that its plugin cannot open the file
    except Exception as error:
        if type(error.__cause__).__name__ == "DecompressionBombError":
            raise TooLarge(f"{path} states more pixels than Pillow decodes (179 million); crop it") from error
        raise FileError(f"{path} is damaged: its header cannot be decoded") from error
    with file:
        properties = file.properties(index=0)
        height, width = properties.shape[:2]
        afford(path, width, height, 40)
        rows = file.read(index=0)
        about: dict[str, Any] = file.metadata(index=0, exclude_applied=False)
        count = file.properties(index=...).n_images or 1  # type: ignore[arg-type]
    if count > 1:
        notes.append(f"animation: first of {count} frames read")
    profile = about.get("icc_profile")
    meaning = icc.understand(profile, notes) if isinstance(profile, bytes) and profile else Meaning()
    pixels = meaning.apply(planes(rows, 255, notes, alpha))
    coded = about.get("exif")
    if isinstance(coded, bytes):
        pixels = orient(pixels, exif.orientation(coded.removeprefix(b"Exif\0\0")), notes)
    return Image(pixels, meaning.domain, meaning.primaries, 8, notes=tuple(notes), path=str(path))
