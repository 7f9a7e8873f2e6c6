"""Chunks of items, and how many items make one, by the time that they take."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

# of work in a chunk: long compared with sending it and with reading its first files, which nothing overlaps
SECONDS = 4.0
# items of a chunk
MOST = 2048
# largest growth factor of chunks, because the first items predict little about the others
GROWTH = 4


@dataclass(order=True)
class Chunk:
    """Neighbouring items, or none where a worker shall only begin the job.

    deaths  how many workers died while it was all that they had to do
    """

    first: int
    items: list[Any] = field(compare=False)
    suspect: bool = field(default=False, compare=False)
    deaths: int = field(default=0, compare=False)


class Pace:
    """Measured time of an item, and what follows from it."""

    def __init__(self) -> None:
        # of an item, recent ones counting more
        self.seconds: float | None = None
        self._largest = 1

    def measure(self, items: int, seconds: float) -> None:
        """Chunks that came back."""
        each = seconds / items
        self.seconds = each if self.seconds is None else (self.seconds + each) / 2
        self._largest = max(self._largest, items)

    def size(self, remaining: int | None, workers: int) -> int:
        """Items of the next chunk. Near the end chunks become smaller, so that the workers finish together."""
        if self.seconds is None:
            return 1
        wanted = min(MOST, GROWTH * self._largest, int(SECONDS / max(self.seconds, 1e-9)))
        if remaining is not None:
            wanted = min(wanted, math.ceil(remaining / (2 * max(1, workers))))
        return max(1, wanted)
