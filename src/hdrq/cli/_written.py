"""The end of a command that writes a file for each input: notes, failures and the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from hdrq.cli import progress as _progress
from hdrq.cli._notes import Notes
from hdrq.cli.app import NOTHING_DONE, SOME_FAILED, say


class Written(Protocol):
    """The record of one file."""

    @property
    def source(self) -> Path: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def error(self) -> str: ...


def report(done: Iterable[Written], total: int) -> None:
    """Print notes and errors while the files are written. Exit code 1 if some failed, 3 if all did."""
    failed, notes = 0, Notes()
    for found in _progress.bar(done, total):
        for text in found.notes:
            notes.add(f"{found.source.name}: {text}", [found.source])
        if found.error:
            failed += 1
            say(f"hdrq: {found.error}")
    notes.finish()
    if failed:
        raise SystemExit(NOTHING_DONE if failed == total else SOME_FAILED)
