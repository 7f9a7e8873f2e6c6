"""Options without effect in a call are refused, in one line.

An option that depends on others says so by `needs`; a task of a command lists the options that it uses. Only options of the
command line count, also where they are given the value that they have by default: who gives one expects something of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import click
from click.core import ParameterSource

from hdrq.errors import UsageError


class Dependent(click.Option):
    """An option that has an effect only with others.

    needs  names of the others, one of which must be given; each with its values that count, of which none means all
    """

    def __init__(self, *names: Any, needs: Mapping[str, Collection[str]], **kind: Any) -> None:
        super().__init__(*names, **kind)
        self.needs = needs


def given(context: click.Context) -> set[str]:
    """Names of the parameters that the command line gives."""
    return {name for name in context.params if _given(context, name)}


def refuse_needless(context: click.Context) -> None:
    """Refuse an option that depends on others, none of which is given."""
    for param in context.command.params:
        name = param.name or ""
        if not (isinstance(param, Dependent) and _given(context, name)):
            continue
        values = {other: context.params.get(other) for other in param.needs}
        if not any(
            values[other] and (not fits or values[other] in fits) for other, fits in param.needs.items()
        ):
            wanted = [
                " ".join([flag(context, other), *([" or ".join(fits)] if fits else [])])
                for other, fits in param.needs.items()
            ]
            raise UsageError(
                f"{flag(context, name)} has no effect without {' or '.join(wanted)}; leave it out"
            )


def refuse_beside(task: str, used: Collection[str]) -> None:
    """Refuse an option that a task, such as "--codes", does not use."""
    refuse(given(click.get_current_context()) - {*used}, f"with {task}")


def refuse(names: Collection[str], when: str) -> None:
    """Refuse those of the options that are given, since they have no effect, as in "with --codes"."""
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in names and _given(context, param.name):
            raise UsageError(f"{flag(context, param.name)} has no effect {when}; leave it out")


def names_of(*options: Callable[[Any], Any]) -> frozenset[str]:
    """Names of the parameters that decorators add."""

    def command() -> None: ...

    for add in options:
        add(command)
    return frozenset(param.name for param in command.__click_params__)  # type: ignore[attr-defined]


def flag(context: click.Context, name: str) -> str:
    """The option of a parameter, such as --map-colours."""
    found = next(param for param in context.command.params if param.name == name)
    return max(found.opts, key=len)


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
