"""Work beside the caller: background threads, and jobs divided among processes with what runs them over many items.

The tasks define jobs and take a `Spread`; `hdrq.cluster` provides one that divides the items among machines. Neither
depends on the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)


@dataclass(frozen=True)
class Needs:
    """Files that a process needs for an item: input files, and folders that it writes to."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Job(Protocol[ItemIn, ResultOut]):
    """A kind of work. Jobs, items and results can be pickled."""

    def begin(self) -> Callable[[Sequence[ItemIn]], Iterator[ResultOut]]:
        """Load what the work needs; returns a function that yields a result for each item, in order."""

    def lost(self, item: ItemIn, reason: str) -> ResultOut:
        """The result of an item that crashed the processes which worked on it."""

    def needs(self, item: ItemIn) -> Needs:
        """Files and folders of an item, relative to the current folder of the process that divides the work."""


class Spread(Protocol):
    """Runs a job over items."""

    def __call__(
        self,
        job: Job[Item, Result],
        items: Iterable[Item],
        *,
        total: int | None = None,
        done: Callable[[Item, Result], None] | None = None,
    ) -> Iterator[Result]:
        """A result for each item, in order. `done` is called for each as it finishes, in any order.

        items  read only as far ahead as there is work for
        total  number of items, where known
        """


def here(
    job: Job[Item, Result],
    items: Iterable[Item],
    *,
    total: int | None = None,
    done: Callable[[Item, Result], None] | None = None,
) -> Iterator[Result]:
    """The `Spread` of this process: one item after another."""
    work = job.begin()
    for item in items:
        (result,) = work([item])
        if done is not None:
            done(item, result)
        yield result


@dataclass(frozen=True)
class Results(Generic[Result]):
    """Results as they come, and their number, which is known before: `for result in results`, `len(results)`."""

    found: Iterator[Result]
    total: int

    def __iter__(self) -> Iterator[Result]:
        return self.found

    def __len__(self) -> int:
        return self.total


@contextmanager
def background_threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the block; what they have not begun by then is dropped.

    For generators: one that nobody finishes is closed by the garbage collector, which may run in one of these threads, and a
    thread cannot wait for itself.
    """
    own: set[int] = set()
    pool = ThreadPoolExecutor(
        count, thread_name_prefix=name, initializer=lambda: own.add(threading.get_ident())
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=threading.get_ident() not in own, cancel_futures=True)
