"""Jobs for tests of the cluster, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hdrq.errors import PixelError
from hdrq.io import atomic
from hdrq.work import Needs


@dataclass(frozen=True)
class Squares:
    """Squares of numbers. Those in `deadly` end their process while they write, those in `once` do so the first time.

    seen    folder with a file for every item that was begun, and one for every beginning of the job
    fatal   number of beginnings that end their process
    endless an item that is never done with writing
    """

    seen: str
    deadly: tuple[int, ...] = ()
    once: tuple[int, ...] = ()
    wrong: int | None = None
    fatal: int = 0
    endless: int | None = None

    def begin(self) -> Callable[[Sequence[int]], Iterator[tuple[int, int]]]:
        Path(self.seen, f"begun-{os.getpid()}").touch()
        if len(list(Path(self.seen).glob("begun-*"))) <= self.fatal:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

        def work(items: Sequence[int]) -> Iterator[tuple[int, int]]:
            for item in items:
                first = Path(self.seen, f"item-{item}")
                again = first.exists()
                first.touch()
                Path(self.seen, f"try-{item}-{os.getpid()}").touch()
                if item in self.deadly or (item in self.once and not again):
                    with atomic(Path(self.seen, f"square-{item}")):
                        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
                if item == self.endless:
                    with atomic(Path(self.seen, f"square-{item}")):
                        Path(self.seen, "waits").touch()
                        time.sleep(600)
                if item == self.wrong:
                    raise PixelError(f"{item} is wrong")
                yield item * item, os.getpid()

        return work

    def lost(self, item: int, reason: str) -> tuple[int, int]:
        return -1, len(reason)

    def needs(self, item: int) -> Needs:
        return Needs(folders=(self.seen,))
