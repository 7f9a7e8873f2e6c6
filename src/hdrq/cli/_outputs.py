"""Outputs of a command, checked before it starts: none is a file that the command reads, and no two are one file."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import click

from hdrq.errors import UsageError
from hdrq.io import identity, refuse_inputs

# Options that name a file or a folder to write. All others that name an existing file name an input.
OUTPUTS = (
    *("output", "report", "significance", "plots", "maps"),
    *("save_params", "save_response", "plot_response", "ghost_mask"),
)


def guarded(command: click.Command) -> None:
    """Let a command refuse outputs that would replace its inputs or each other."""
    run = command.callback
    if run is None or hasattr(run, "guarded"):
        return

    @functools.wraps(run)
    def checked(*arguments: Any, **options: Any) -> Any:
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
