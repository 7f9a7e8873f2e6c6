"""Progress bars with rate and remaining time, on a terminal's stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hdrq.cli._messages import quiet

T = TypeVar("T")


def bar(items: Iterable[T], total: int | None = None, label: str = "") -> Iterator[T]:
    """The items, with a progress bar if stderr is a terminal and there is more than one; never with --quiet."""
    if quiet() or not sys.stderr.isatty() or (total is not None and total < 2):
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, total=total, desc=label, unit="", dynamic_ncols=True, file=sys.stderr, leave=False)


@contextmanager
def meter(total: int | None = None, label: str = "") -> Iterator[Callable[[int], None]]:
    """Yield a function that is called with the number of items finished, for work that finishes out of order."""
    if quiet() or not sys.stderr.isatty() or (total is not None and total < 2):
        yield lambda more: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="", dynamic_ncols=True, file=sys.stderr, leave=False) as shown:

        def tell(more: int) -> None:
            shown.update(more)

        yield tell
