"""Outputs of a command: refused before it starts where they would replace an input or each other, and reported as they come."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from hdrq.cli import _progress
from hdrq.cli._idle import refuse_needless
from hdrq.cli._messages import NOTHING_DONE, SOME_FAILED, Notes, say
from hdrq.errors import UsageError
from hdrq.io import identity, refuse_inputs

# Options that name a file or a folder to write. All others that name an existing file name an input.
OUTPUTS = (
    *("output", "report", "significance", "plots", "maps"),
    *("save_params", "save_response", "plot_response", "ghost_mask"),
)


def guarded(command: click.Command) -> None:
    """Let a command refuse options without effect, and outputs that would replace its inputs or each other."""
    run = command.callback
    if run is None or hasattr(run, "guarded"):
        return

    @functools.wraps(run)
    def checked(*arguments: Any, **options: Any) -> Any:
        refuse_needless(click.get_current_context())
        refuse(click.get_current_context())
        return run(*arguments, **options)

    checked.guarded = True  # type: ignore[attr-defined]
    command.callback = checked


def refuse(context: click.Context) -> None:
    """Raise where an output of the call is an input, or two outputs are one file."""
    outputs: list[tuple[str, str]] = []
    inputs: list[str] = []
    for param in context.command.params:
        name = param.name or ""
        written = name in OUTPUTS or (name == "params" and context.params.get("optimize"))
        for value in _texts(context.params.get(name)):
            if written and value != "-" and not _special(value):
                outputs.append((param.opts[0], value))
            elif not written and Path(value).is_file():
                inputs.append(value)
    refuse_inputs([value for _, value in outputs], inputs)
    seen: dict[Hashable, str] = {}
    for option, value in outputs:
        if (before := seen.setdefault(identity(value), option)) != option:
            raise UsageError(f"{before} and {option} both name {value}; give each a file of its own")


def _texts(value: Any) -> Iterator[str]:
    """The texts and paths of an option's value."""
    if isinstance(value, (tuple, list)):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, (str, Path)) and "\0" not in str(value) and len(str(value)) < 4096:
        yield str(value)


def _special(value: str) -> bool:
    """Whether a path is a folder, a device or a pipe, which nothing replaces."""
    return Path(value).exists() and not Path(value).is_file()


class Written(Protocol):
    """What was written, or why not."""

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def error(self) -> str: ...


W = TypeVar("W", bound=Written)


def report(
    done: Iterable[W], total: int, subject: Callable[[W], str | Path] = operator.attrgetter("source")
) -> None:
    """Print notes and errors while files are written. Exit code 1 if some failed, 3 if all did.

    subject  what the notes are about: a file, or a name
    """
    failed, notes = 0, Notes()
    for found in _progress.bar(done, total):
        about = subject(found)
        for text in found.notes:
            notes.add(f"{about.name if isinstance(about, Path) else about}: {text}", [about])
        if found.error:
            failed += 1
            say(f"hdrq: {found.error}")
    notes.finish()
    if failed:
        raise SystemExit(NOTHING_DONE if failed == total else SOME_FAILED)
