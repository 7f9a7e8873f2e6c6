"""Pictures read ahead of the computing, each file once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from hdrq.errors import FileError, HdrqError
from hdrq.io import read
from hdrq.records import Image, Pair
from hdrq.scoring.clips import frames

_KEPT = 8  # pictures remembered, so that a reference shared by neighbouring pairs is read once


class Shelf:
    """Reads files on worker threads and remembers the last few."""

    def __init__(
        self, jobs: int, layer: str | None = None, view: str | None = None, streamed: bool = False
    ) -> None:
        self._pool = ThreadPoolExecutor(max(1, jobs), thread_name_prefix="hdrq-read")
        self._kept: OrderedDict[str, Future[Image]] = OrderedDict()
        self._options = {"layer": layer, "view": view, "streamed": streamed}

    def ask(self, path: str | Path) -> Future[Image]:
        """The picture, now or soon."""
        key = str(path)
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = self._pool.submit(_read, path, self._options)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _read(path: str | Path, options: dict[str, Any]) -> Image:
    """One picture, or the frames of a folder as one batch in the order of their names; streamed: the first one."""
    if not Path(path).is_dir():
        return read(path, layer=options["layer"], view=options["view"])
    found = list(islice(frames(path, options["layer"], options["view"]), 1 if options["streamed"] else None))
    return found[0].with_pixels(torch.cat([f.pixels for f in found]), path=str(path))


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
            waiting.append((pair, shelf.ask(pair.ref) if pair.ref else None, shelf.ask(pair.dist)))

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
