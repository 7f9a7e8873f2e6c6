"""Arguments from Python, checked against the annotations of the function that takes them."""

from __future__ import annotations

import functools
import inspect
import math
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from hdrq.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")
_WORDS = {
    str: "text",
    Path: "a path",
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    Mapping: "a dict",
    type(None): "None",
}
# by name, because this module imports neither numpy nor torch
_CLASSES = {"ndarray": "an array", "Tensor": "a tensor", "Callable": "a function", "device": "a device"}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which raises UsageError for an argument of another type than annotated, before anything else.

    A whole number is no bool, and a number is finite. Annotations other than those of `_WORDS`, Sequence and unions of them
    are classes, or are not checked.
    """
    signature = inspect.signature(function)
    hints = functools.cache(lambda: get_type_hints(function))

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            # says which arguments are missing or unknown
            return function(*args, **kwargs)
        for name, value in given.items():
            if signature.parameters[name].kind is not inspect.Parameter.VAR_KEYWORD:
                _refuse_misfit(name, value, hints()[name])
        return function(*args, **kwargs)

    return call


def refuse_misfits(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raise UsageError for an argument, by name, of another type than the function's annotations, as `checked` does."""
    hints = get_type_hints(function)
    for name, value in given.items():
        _refuse_misfit(name, value, hints[name])


def _refuse_misfit(name: str, value: Any, hint: Any) -> None:
    if not _fits(value, hint):
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise UsageError(f"{name} must be {_words(hint)}, not {shown}")


def refuse_not_positive(**numbers: float | None) -> None:
    """Raise UsageError for a number that is not above zero."""
    for name, value in numbers.items():
        if value is not None and value <= 0:
            raise UsageError(f"{name} must be a positive, finite number, not {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, part) for part in get_args(hint))
    kind = get_origin(hint) or hint
    if kind is Sequence:
        if isinstance(value, str | bytes | Mapping | os.PathLike) or not isinstance(value, Iterable):
            return False
        return not isinstance(value, Sized) or all(_fits(v, get_args(hint)[0]) for v in value)
    if kind is Path:
        return isinstance(value, str | os.PathLike)
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool) and _finite(value)
    return not isinstance(kind, type) or getattr(kind, "_is_protocol", False) or isinstance(value, kind)


def _finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _words(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        *others, last = dict.fromkeys(_words(part) for part in get_args(hint))
        return f"{', '.join(others)} or {last}" if others else last
    if (get_origin(hint) or hint) is Sequence:
        return f"a list of {_words(get_args(hint)[0])}"
    kind = get_origin(hint) or hint
    name = getattr(kind, "__name__", str(kind))
    return _WORDS.get(kind) or _CLASSES.get(name) or f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
