"""Pictures read ahead of the computing, each file once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from hdrq.errors import FileError, HdrqError
from hdrq.io import read
from hdrq.records import Image, Pair
from hdrq.scoring.clips import both_files, frame_files, frames
from hdrq.scoring.inputs import One, is_folder

_KEPT = 8  # pictures remembered, so that a reference shared by neighbouring pairs is read once


class Shelf:
    """Reads files on worker threads and remembers the last few."""

    def __init__(
        self, jobs: int, layer: str | None = None, view: str | None = None, streamed: bool = False
    ) -> None:
        self._pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="hdrq-read")
        self._kept: OrderedDict[str, Future[Image]] = OrderedDict()
        self._options = {"layer": layer, "view": view, "streamed": streamed}

    def ask(self, path: One, files: Sequence[Path] = (), note: str = "") -> Future[Image]:
        """The image, or the sequence of these files, now or soon."""
        if isinstance(path, Image):
            there: Future[Image] = Future()
            there.set_result(path)
            return there
        key = str(path) if not files else "\n".join(map(str, files))
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = self._pool.submit(_read, path, self._options, files, note)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def ask_pair(self, pair: Pair) -> tuple[Future[Image] | None, Future[Image]]:
        """Reference and test image; frames of two folders are those that both have, by number."""
        if not pair.ref:
            return None, self.ask(pair.dist)
        if not (is_folder(pair.ref) and is_folder(pair.dist)):
            return self.ask(pair.ref), self.ask(pair.dist)
        try:
            refs, dists, lonely = both_files(pair)
        except HdrqError as error:
            broken: Future[Image] = Future()
            broken.set_exception(error)
            return broken, broken
        note = f"frames without a partner left out: {_listed(lonely)}" if lonely else ""
        return self.ask(pair.ref, refs), self.ask(pair.dist, dists, note)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _listed(names: list[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _read(path: str | Path, options: dict[str, Any], files: Sequence[Path], note: str) -> Image:
    """One picture, or the frames of a folder as one batch in the order of their numbers; streamed: the first one."""
    if not Path(path).is_dir():
        return read(path, layer=options["layer"], view=options["view"])
    coming = frames(files or frame_files(path), options["layer"], options["view"])
    found = list(islice(coming, 1 if options["streamed"] else None))
    notes = (*found[0].notes, note) if note else found[0].notes
    return found[0].with_pixels(torch.cat([f.pixels for f in found]), path=str(path), notes=notes)


Opened = tuple[Pair, Image | None, Image | None, HdrqError | None]


def opened(
    pairs: Iterable[Pair],
    jobs: int,
    layer: str | None = None,
    view: str | None = None,
    streamed: bool = False,
) -> Iterator[Opened]:
    """Each pair with its pictures (ref, dist), or with the error that reading them met; `jobs` pairs ahead.

    streamed  of a folder of frames only the first one; who asks reads the others
    """
    shelf = Shelf(jobs, layer, view, streamed)
    source = iter(pairs)
    waiting: list[tuple[Pair, Future[Image] | None, Future[Image]]] = []

    def refill() -> None:
        for pair in islice(source, max(1, jobs) - len(waiting)):
            waiting.append((pair, *shelf.ask_pair(pair)))

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
        shelf.close()
