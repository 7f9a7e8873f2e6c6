"""The rows of a training set, each of which says how an image pair is rendered, and their table set.csv."""

from __future__ import annotations

import csv
import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, overload

from hdrq.errors import FileError
from hdrq.io import atomic


@dataclass(frozen=True, slots=True)
class Row:
    """One image pair.

    source      file;  scene  is in one part of a split only
    y, x        corner of the crop;  side  height of the result, pixels;  shrink  downsampling factor from the crop to the result
    display     "light" (HDR), or code shown on a display: "sdr", "sdr-100" or "bright";  peak  cd/m², see PEAKS
    distortion  name of an entry of one of SHELVES, or "none";  level  0..5;  seed  of its random numbers
    reads       how the file is read, where the user states it, as `hdrq.encoding.reading.Reading.text`
    wide        width of the result, where it is not `side`
    """

    number: int
    source: str
    scene: str
    y: int
    x: int
    side: int
    shrink: int
    display: str
    peak: float
    distortion: str
    level: float
    seed: int
    reads: str = field(default="", repr=False)
    wide: int = field(default=0, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return self.side, self.wide or self.side

    @property
    def view(self) -> tuple[object, ...]:
        """Everything that the reference depends on besides the content of the file."""
        extra: tuple[object, ...] = (self.reads,) if self.reads else ()
        extra = (*extra, "wide", self.wide) if self.wide else extra
        return (self.y, self.x, self.side, self.shrink, self.display, self.peak, *extra)


class Rows(Sequence[Row]):
    """Rows in columns, 112 bytes each; a `Row` is made when it is asked for, so that a set may have millions."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._columns = [array(_CODES[kind]) for kind in _KINDS]
        self._texts: dict[str, int] = {}
        self._listed: list[str] = []
        self.extend(rows)

    def extend(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        texts, listed = self._texts, self._listed
        appends = [(column.append, kind == "str") for column, kind in zip(self._columns, _KINDS, strict=True)]
        for row in rows:
            for (append, text), value in zip(appends, _values(row), strict=True):
                if text:
                    if value not in texts:
                        texts[value] = len(listed)
                        listed.append(value)
                    append(texts[value])
                else:
                    append(value)

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        found: list[Any] = [
            self._listed[column[at]] if kind == "str" else column[at]
            for column, kind in zip(self._columns, _KINDS, strict=True)
        ]
        return Row(*found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def digest(self) -> str:
        """Twelve hexadecimal digits of the rows."""
        found = hashlib.sha256(b"[")
        for number, row in enumerate(self):
            found.update(f"{', ' if number else ''}{row!r}".encode())
        reads, wide = (self._columns[_NAMES.index(name)] for name in ("reads", "wide"))
        found.update(("]" + "".join(sorted({self._listed[i] for i in reads}))).encode())
        if any(wide):
            found.update("".join(f" {width}" for width in wide).encode())
        return found.hexdigest()[:12]


_NAMES = [f.name for f in fields(Row)]
_KINDS = [str(f.type) for f in fields(Row)]
# signed 64 bits, double precision, place in the list of texts
_CODES = {"int": "q", "float": "d", "str": "l"}
_values = attrgetter(*_NAMES)


def write_rows(rows: Iterable[Row], path: Path) -> Path:
    """The set as a CSV manifest."""
    with atomic(path) as part, part.open("w", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_NAMES)
        writer.writerows(map(_values, rows))
    return path


def read_rows(path: Path) -> Rows:
    """The rows of a CSV manifest written by `write_rows`."""
    kinds = {"int": int, "float": float, "str": str}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return Rows(
                Row(
                    **{
                        f.name: kinds[str(f.type)](r[f.name])
                        for f in fields(Row)
                        if f.name in r or f.default is MISSING
                    }
                )
                for r in csv.DictReader(file)
            )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise FileError(f"{path} is not a set of hdrq distill: {error}") from error
