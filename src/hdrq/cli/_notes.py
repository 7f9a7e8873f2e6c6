"""Notes on stderr: the first of each kind, and at the end how many more there were."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from hdrq.cli.app import note

_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")
_SHOWN = 60  # characters of a note that is counted


class Notes:
    """Notes of one kind differ in names of files and in numbers only: the first is printed, the others are counted."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._all: dict[str, set[int]] = {}

    def add(self, text: str, files: Iterable[str | Path] = ()) -> None:
        """Print the first note of its kind; files are those whose names may be in the text."""
        kind = text
        names = {str(f) for f in files} | {Path(f).name for f in files}
        for name in sorted(filter(None, names), key=len, reverse=True):
            kind = kind.replace(name, "*")
        kind = _NUMBER.sub("#", kind)
        if kind not in self._first:
            self._first[kind], self._all[kind] = text, set()
            note(text)
        self._all[kind].add(hash(text))

    def finish(self) -> None:
        """Say how many others there were of each kind."""
        for kind, first in self._first.items():
            if more := len(self._all[kind]) - 1:
                short = first if len(first) <= _SHOWN else f"{first[:_SHOWN].rstrip()} ..."
                note(f"{more} more like: {short}")
        self._first.clear()
