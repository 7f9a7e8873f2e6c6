"""Frames of two clips side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import TypeVar

from hdrq.errors import PixelError

T = TypeVar("T")


def frame_pairs(dist: Iterable[T], ref: Iterable[T]) -> Iterator[tuple[T, T]]:
    """(test, reference) frames, as long as there are any; a side that ends first is a PixelError."""
    for number, (test, reference) in enumerate(zip_longest(dist, ref)):
        if test is None or reference is None:
            side = "test" if test is None else "reference"
            raise PixelError(
                f"the {side} clip ends after {number} frames but the other is longer; cut it there"
            )
        yield test, reference
