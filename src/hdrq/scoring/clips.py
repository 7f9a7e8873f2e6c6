"""Clips: video files and folders of frames, read one frame ahead of the computing and forgotten after it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from hdrq.errors import FileError, PixelError, UsageError
from hdrq.io import by_suffix, is_clip, read_selected
from hdrq.io.clip import frames as frames_of_clip
from hdrq.io.clip import span
from hdrq.io.pairing import numbered, pair_frames
from hdrq.io.remote import address_of
from hdrq.io.remote_cache import local
from hdrq.records import Image, Pair, Selection
from hdrq.work import background_threads

# of the reference and of the test image
Sides = tuple[Selection, Selection]
T = TypeVar("T")


def moves(side: Any, select: Selection) -> bool:
    """Whether one side of a pair is a clip: a folder, or a video of which not a single frame is chosen."""
    if not isinstance(side, str | Path):
        return False
    if Path(side).is_dir():
        return True
    return not (select.frames or "").strip().isdigit() and _is_video(side)


def _is_video(side: str | Path) -> bool:
    """Whether a file is a video; a remote one is told by its suffix, so that nothing is fetched to ask."""
    address = address_of(side)
    if address is None:
        return is_clip(side)
    promised = by_suffix(address.split("::")[0])
    return promised is not None and promised.name == "clip"


def frame_files(folder: str | Path) -> list[Path]:
    """The frames of a clip in the order of their numbers; a file is a clip of one frame."""
    if not Path(folder).is_dir():
        return [Path(folder)]
    found = list(numbered(Path(folder)).values())
    if not found:
        raise FileError(f"{folder} holds no frames hdrq reads; see: hdrq list formats")
    return found


def both_files(pair: Pair) -> tuple[list[Path], list[Path], list[str]]:
    """(reference frames, test frames, those without partner) of a pair; frames of two folders are paired by number."""
    ref, dist = Path(str(pair.ref or "")), Path(str(pair.dist))
    if not (ref.is_dir() and dist.is_dir()) or not pair.ref:
        return (frame_files(ref) if pair.ref else []), frame_files(dist), []
    refs, dists, unmatched = pair_frames(ref, dist)
    if not refs:
        raise FileError(f"no frame of {ref} has its number in {dist}; rename one side")
    return refs, dists, unmatched


def chosen(files: Sequence[Path], frames: str | None) -> list[tuple[int, Path]]:
    """(number, file) of the frames that a selection takes of a folder's files in order."""
    start, stop, step = span(frames or "")
    found = list(enumerate(files))[start:stop:step]
    if not found:
        raise UsageError(f"--frames {frames} selects none of the {len(files)} frames of {files[0].parent}")
    return found


def frames(
    side: str | Path, files: Sequence[Path], select: Selection
) -> Generator[tuple[int, Image], None, None]:
    """Each chosen frame with its number; one of another size, domain or primaries than the first is a PixelError."""
    source = _video(side, select) if _is_video(side) else _files(files, select)
    first: Image | None = None
    with background_threads(1, "hdrq-read") as pool:
        coming = pool.submit(next, source, None)
        while (found := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            first = first or found[1]
            if _kind(found[1]) != _kind(first):
                raise PixelError(
                    f"{found[1].path} differs from {first.path} in size, domain or primaries; a clip has one of each"
                )
            yield found
    if first is None:
        raise UsageError(f"{side} has no frames in {select.frames}; it is shorter")


def _kind(frame: Image) -> tuple[object, ...]:
    return frame.size, frame.pixels.shape[1], frame.domain, frame.primaries


def _files(files: Sequence[Path], select: Selection) -> Iterator[tuple[int, Image]]:
    folder = len(files) > 1 or select.frames is not None
    one = Selection(select.layer, select.view, select.part)
    for number, file in chosen(files, select.frames) if folder else [(0, files[0])]:
        yield number, read_selected(file, one)


def _video(path: str | Path, select: Selection) -> Iterator[tuple[int, Image]]:
    for option in ("layer", "view", "part"):
        if getattr(select, option) is not None:
            raise UsageError(f"{path}: Video has no {option} to choose; leave --{option} out")
    start, _, step = span(select.frames or "")
    for count, image in enumerate(frames_of_clip(local(path), select.frames or "")):
        yield start + count * step, image


def both_sides(
    pair: Pair, selects: Sides
) -> tuple[Iterator[tuple[int, Image]] | None, Iterator[tuple[int, Image]]]:
    """Frames of the reference, where there is one, and of the test clip, with their numbers."""
    refs, dists, _ = both_files(pair)
    dist = frames(str(pair.dist), dists, selects[1])
    return (frames(str(pair.ref), refs, selects[0]) if pair.ref else None), dist


def frame_pairs(dist: Iterable[T], ref: Iterable[T]) -> Iterator[tuple[T, T]]:
    """(test, reference) frames, as long as there are any; a side that ends first is a PixelError."""
    for number, (test, reference) in enumerate(zip_longest(dist, ref)):
        if test is None or reference is None:
            side = "test" if test is None else "reference"
            raise PixelError(
                f"the {side} clip ends after {number} frames but the other is longer; cut it there"
            )
        yield test, reference
