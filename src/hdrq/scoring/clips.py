"""Clips as folders of frames, read one frame ahead of the computing and forgotten after it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hdrq.errors import FileError, PixelError
from hdrq.io import read
from hdrq.io.pairing import pictures
from hdrq.records import Image, Pair


def frame_files(folder: str | Path) -> list[Path]:
    """The frames of a clip in the order of their names; a file is a clip of one frame."""
    if not Path(folder).is_dir():
        return [Path(folder)]
    found = pictures(Path(folder))
    if not found:
        raise FileError(f"{folder} holds no frames hdrq reads; see: hdrq list formats")
    return found


def frames(folder: str | Path, layer: str | None = None, view: str | None = None) -> Iterator[Image]:
    """Each frame of a clip; one of another size, domain or primaries than the first is a PixelError."""
    files = frame_files(folder)
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
    return frames(pair.ref or "", layer, view), frames(pair.dist, layer, view)
