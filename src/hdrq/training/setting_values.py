"""Values of settings that are given as text, for the settings of every kind of training."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from hdrq.errors import UsageError


def refuse_unknown(given: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError for the first name, in alphabetical order, that is not a setting."""
    if unknown := sorted(set(given) - set(known)):
        raise UsageError(f"there is no setting '{unknown[0]}'; settings are {', '.join(sorted(known))}")


def parsed(value: Any) -> Any:
    """The JSON value of a text; the text itself where it is not JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value


def scalar(old: bool | int | float, value: Any, name: str) -> bool | int | float:
    """A value in the type of the setting that it replaces; UsageError for any other."""
    found = parsed(value)
    if isinstance(old, bool):
        if not isinstance(found, bool):
            raise UsageError(f"{name} is true or false, not '{value}'")
        return found
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found:
        raise UsageError(f"{name} is a number, not '{value}'")
    if isinstance(old, int) and isinstance(found, float) and not found.is_integer():
        raise UsageError(f"{name} is a whole number, not {value}")
    try:
        float(found)
    except OverflowError:
        raise UsageError(f"{name} is too large") from None
    return type(old)(found)
