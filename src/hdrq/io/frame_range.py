"""Commands that write one file for each image: a clip with a range of frames gives one file for each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hdrq.errors import UsageError
from hdrq.io import is_clip, read_one
from hdrq.io.clip import frames, span
from hdrq.io.remote_cache import local
from hdrq.records import Image, Selection


def several(select: Selection) -> bool:
    """Whether a range of frames is selected, such as 0:100:10, and not a single one."""
    return ":" in str(select.frames or "")


def read_each(source: Path, target: Path, select: Selection) -> Iterator[tuple[Image, Path]]:
    """(image, the file it is written to) for a file; for a range of frames each frame, to NAME-000010.png.

    Frames are decoded one at a time. UsageError where the file is not a clip, or has none of the frames.
    """
    place = local(source)
    if not several(select) or not is_clip(place):
        yield read_one(source, select), target
        return
    for option in ("layer", "view", "part"):
        if getattr(select, option) is not None:
            raise UsageError(f"{source}: a clip has no {option} to choose; leave --{option} out")
    start, _, step = span(str(select.frames))
    count = 0
    for count, image in enumerate(frames(place, str(select.frames)), 1):
        number = start + (count - 1) * step
        said = (*image.notes, "one file for each frame, numbered as in the clip")
        yield replace(image, notes=said, path=str(source)), numbered(target, number)
    if count == 0:
        raise UsageError(f"{source} has no frames in {select.frames}; the clip is shorter")


def numbered(target: Path, number: int) -> Path:
    """The name of a file with the number of a frame."""
    return target.with_name(f"{target.stem}-{number:06d}{target.suffix}")
