"""What a command says on stderr besides its result: messages, notes, and its exit code.

0 success · 1 some inputs failed · 2 usage error · 3 nothing could be done · 130 interrupted · 128 + N ended by signal N
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from hdrq.errors import HdrqError, UsageError

T = TypeVar("T")
SOME_FAILED, USAGE, NOTHING_DONE, INTERRUPTED = 1, 2, 3, 130
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")
# characters of a note that is counted
_SHOWN = 60


def say(line: str) -> None:
    """One line on stderr, above a progress bar where there is one."""
    bars = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if bars is not None and getattr(bars, "_instances", None):
        bars.write(line, file=sys.stderr)
    else:
        click.echo(line, err=True)


def quiet() -> bool:
    """Whether the command runs with --quiet."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get("hdrq.quiet"))


def tell(line: str) -> None:
    """A line of progress on stderr; nothing with --quiet."""
    if not quiet():
        say(line)


def note(text: str) -> None:
    """A line of information on stderr; nothing with --quiet."""
    if not quiet():
        say(f"hdrq: note: {text}")


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


@contextmanager
def faults_of_a_dry_run() -> Iterator[None]:
    """Within this block, whatever would stop the run is an error of the request: exit code 2, also for a missing file."""
    try:
        yield
    except UsageError:
        raise
    except HdrqError as error:
        raise UsageError(str(error)) from error


@contextmanager
def resumed_by_option(*begun: type) -> Iterator[Callable[[Iterable[T]], Iterator[T]]]:
    """Gives what passes records on; an interruption of the block after one of the types `begun` says that --resume goes on."""
    resumable = False

    def passed_on(records: Iterable[T]) -> Iterator[T]:
        nonlocal resumable
        for record in records:
            resumable = resumable or isinstance(record, begun)
            yield record

    try:
        yield passed_on
    except KeyboardInterrupt:
        if not resumable:
            raise
        say("hdrq: interrupted; add --resume to go on")
        raise SystemExit(INTERRUPTED) from None
