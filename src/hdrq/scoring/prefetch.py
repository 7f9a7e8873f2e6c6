"""Images read ahead of the computing, each file once."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from hdrq.errors import FileError, HdrqError
from hdrq.io import read_selected
from hdrq.records import MAIN_IMAGE, Image, Pair, Selection
from hdrq.scoring.clips import Sides, both_files, frame_files, frames, moves
from hdrq.scoring.pairs import One

# images remembered, so that a reference shared by neighbouring pairs is read once
_KEPT = 8


_Key = tuple[str, Selection, tuple[int, ...] | None]


class ImageReader:
    """Reads files on worker threads and remembers the last few. Of a clip it reads the first frame."""

    def __init__(self, jobs: int) -> None:
        self._pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="hdrq-read")
        self._recent: OrderedDict[_Key, Future[Image]] = OrderedDict()
        self._reference: _Key | None = None

    def requested(
        self, path: One, select: Selection, files: Sequence[Path] = (), note: str = ""
    ) -> Future[Image]:
        """The image, or the first frame of these files, now or soon."""
        if isinstance(path, Image):
            there: Future[Image] = Future()
            there.set_result(path)
            return there
        key = _key(path, select, files)
        if key in self._recent:
            self._recent.move_to_end(key)
        else:
            self._recent[key] = self._pool.submit(_read, path, select, files, note)
            while len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        return self._recent[key]

    def request_pair(self, pair: Pair, selects: Sides) -> tuple[Future[Image] | None, Future[Image]]:
        """Reference and test image; frames of two folders are those that both have, by number."""
        if not pair.ref:
            return None, self.requested(pair.dist, selects[1])
        if not (_is_folder(pair.ref) and _is_folder(pair.dist)):
            self._reference = None if isinstance(pair.ref, Image) else _key(pair.ref, selects[0])
            return self.requested(pair.ref, selects[0]), self.requested(pair.dist, selects[1])
        try:
            refs, dists, unmatched = both_files(pair)
        except HdrqError as error:
            broken: Future[Image] = Future()
            broken.set_exception(error)
            return broken, broken
        note = f"frames without a matching frame skipped: {_listed(unmatched)}" if unmatched else ""
        return self.requested(pair.ref, selects[0], refs), self.requested(pair.dist, selects[1], dists, note)

    def keep_reference(self) -> None:
        """Between two lists of pairs: forget all images but the last reference, which the next pair may have too."""
        key = self._reference
        last = self._recent.get(key) if key is not None else None
        self._recent.clear()
        if (
            key is not None
            and key[2] is not None
            and last is not None
            and last.done()
            and not last.exception()
        ):
            self._recent[key] = last

    def close(self) -> None:
        """End the threads; what they have not begun is not read."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _key(path: str | Path, select: Selection, files: Sequence[Path] = ()) -> _Key:
    """What tells images apart: name, what is read of it, and the identity, size and time of a file of this machine."""
    name = "\n".join(map(str, files)) or str(path)
    try:
        info = os.stat(name)
    except (OSError, ValueError):
        return name, select, None
    return name, select, (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


def _is_folder(side: One) -> bool:
    return isinstance(side, str | Path) and Path(side).is_dir()


def _listed(names: list[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read(path: str | Path, select: Selection, files: Sequence[Path], note: str) -> Image:
    """One image, or the first chosen frame of a clip."""
    if not moves(path, select):
        return read_selected(path, select)
    coming = frames(path, files or frame_files(path), select)
    _, first = next(coming)
    coming.close()
    return first.with_pixels(
        first.pixels, path=str(path), notes=(*first.notes, note) if note else first.notes
    )


Opened = tuple[Pair, Image | None, Image | None, HdrqError | None]


def opened(
    pairs: Iterable[Pair],
    jobs: int,
    selects: Callable[[Pair], Sides] = lambda pair: (MAIN_IMAGE, MAIN_IMAGE),
    reader: ImageReader | None = None,
) -> Iterator[Opened]:
    """Each pair with its images (ref, dist), or with the error that reading them met; `jobs` pairs ahead.

    Of a clip only the first frame is read; who scores it reads the others.
    selects  what is read of the files of a pair
    reader    that outlasts these pairs
    """
    lasting, reader = reader, reader or ImageReader(jobs)
    source = iter(pairs)
    waiting: list[tuple[Pair, Future[Image] | None, Future[Image]]] = []

    def refill() -> None:
        for pair in islice(source, max(1, jobs) - len(waiting)):
            try:
                waiting.append((pair, *reader.request_pair(pair, selects(pair))))
            except HdrqError as error:
                broken: Future[Image] = Future()
                broken.set_exception(error)
                waiting.append((pair, broken, broken))

    try:
        refill()
        while waiting:
            pair, ref, dist = waiting.pop(0)
            try:
                yield pair, ref.result() if ref else None, dist.result(), None
            except HdrqError as error:
                yield pair, None, None, error
            except MemoryError:
                yield pair, None, None, FileError(f"{pair.dist} does not fit in memory with {jobs} jobs")
            refill()
    finally:
        if lasting is None:
            reader.close()
        else:
            reader.keep_reference()
