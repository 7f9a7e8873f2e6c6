"""Work that can be divided: a job that any process can begin, and what runs it over many items.

The tasks define jobs and take a `Spread`; `hdrq.cluster` has one that divides the items among machines. Neither knows
the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)


@dataclass(frozen=True)
class Needs:
    """What a process must see to do an item: input files, and folders that it writes to."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Job(Protocol[ItemIn, ResultOut]):
    """A kind of work. Jobs, items and results pickle."""

    def begin(self) -> Callable[[Sequence[ItemIn]], Iterator[ResultOut]]:
        """Load what the work needs; the function gives a result for each item, in order."""

    def lost(self, item: ItemIn, reason: str) -> ResultOut:
        """The result of an item that ended the processes which worked on it."""

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
        """A result for each item, in order. `done` is told of each as it is finished, in any order.

        items  read only so far ahead as there is work for
        total  how many there are, where that is known
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
