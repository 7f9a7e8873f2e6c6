"""Clips as folders of frames, read one frame ahead of the computing and forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hdrq.errors import FileError, PixelError
from hdrq.io import read
from hdrq.io.pairing import numbered, pair_frames
from hdrq.records import Image, Pair


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
    refs, dists = frame_files(ref), frame_files(dist)
    if not (ref.is_dir() and dist.is_dir()):
        return refs, dists, []
    refs, dists, lonely = pair_frames(ref, dist)
    if not refs:
        raise FileError(f"no frame of {ref} has its number in {dist}; rename one side")
    return refs, dists, lonely


def frames(files: Sequence[Path], layer: str | None = None, view: str | None = None) -> Iterator[Image]:
    """Each frame of a clip; one of another size, domain or primaries than the first is a PixelError."""
    with ThreadPoolExecutor(1, thread_name_prefix="hdrq-read") as pool:
        first: tuple[object, ...] | None = None
        coming = pool.submit(read, files[0], layer=layer, view=view)
        for following in [*files[1:], None]:
            frame = coming.result()
            if following is not None:
                coming = pool.submit(read, following, layer=layer, view=view)
            kind = (frame.size, frame.pixels.shape[1], frame.domain, frame.primaries)
            first = first or kind
            if kind != first:
                raise PixelError(
                    f"{frame.path} differs from {files[0]} in size, domain or primaries; a clip has one of each"
                )
            yield frame


def both_sides(
    pair: Pair, layer: str | None = None, view: str | None = None
) -> tuple[Iterator[Image], Iterator[Image]]:
    """Frames of the reference and of the test clip."""
    refs, dists, _ = both_files(pair)
    return frames(refs, layer, view), frames(dists, layer, view)
