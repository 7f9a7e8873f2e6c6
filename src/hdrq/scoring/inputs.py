"""What a caller may give for pairs: records, tuples, paths, Images, one or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hdrq.errors import UsageError
from hdrq.records import Image, Pair

One = str | Path | Image
Pairs = Pair | One | tuple[One, One] | Iterable[Pair | One | tuple[One, One]]


def pairs_of(given: Pairs, full_reference: bool) -> Iterator[Pair]:
    """Pair records of the given inputs.

    One pair of two paths or Images is understood as such: where a reference is needed, ("ref.exr", "dist.exr").
    raises  UsageError for anything that is neither, when it is met; at once where the whole is wrong
    """
    if isinstance(given, Pair):
        return iter([given])
    if isinstance(given, str | Path | Image):
        if full_reference:
            raise UsageError(
                f"one image was given ({_short(given)}) and the metrics compare two; give (reference, test) or a list of pairs"
            )
        return iter([Pair(dist=given)])
    if full_reference and isinstance(given, tuple | list) and len(given) == 2:
        ref, dist = given
        if isinstance(ref, str | Path | Image) and isinstance(dist, str | Path | Image):
            return iter([Pair(ref=ref, dist=dist)])
    if not isinstance(given, Iterable):
        raise UsageError(f"pairs are (reference, test) paths or Images, not {type(given).__name__}")
    return (_pair(item, full_reference) for item in given)


def _pair(item: Any, full_reference: bool) -> Pair:
    if isinstance(item, Pair):
        return item
    if isinstance(item, str | Path | Image):
        if full_reference:
            raise UsageError(f"{_short(item)} is one image; a pair is (reference, test)")
        return Pair(dist=item)
    try:
        ref, dist = item
    except (TypeError, ValueError):
        raise UsageError(f"a pair is (reference, test), not {_short(item)}") from None
    for side in (ref, dist):
        if not isinstance(side, str | Path | Image):
            raise UsageError(f"a pair holds paths or Images, not {type(side).__name__}")
    return Pair(ref=ref, dist=dist)


def _short(item: Any) -> str:
    return (item.path or "an Image") if isinstance(item, Image) else str(item)[:80]


def label(side: One | None) -> str:
    """One side of a pair as rows name it."""
    if isinstance(side, Image):
        return side.path or "(image)"
    return str(side or "")
