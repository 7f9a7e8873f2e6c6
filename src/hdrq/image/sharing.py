"""Work done once for several metrics of one call: the same transform of the same tensor is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import Tensor, is_grad_enabled

P = ParamSpec("P")
R = TypeVar("R")
_memory: ContextVar[dict[Any, Any] | None] = ContextVar("hdrq_memory", default=None)


@contextmanager
def sharing(anew: bool = False) -> Iterator[None]:
    """Within this block, functions marked `@shared` answer a repeated question from memory.

    anew  forget everything at the end of this block; False: a block within another shares its memory
    """
    if _memory.get() is not None and not anew:
        yield
        return
    token = _memory.set({})
    try:
        yield
    finally:
        _memory.reset(token)


def shared(function: Callable[P, R]) -> Callable[P, R]:
    """Remember results within a `sharing()` block, by the identity of tensors and the value of the rest.

    Outside such a block, or where a gradient is being recorded, the function runs as written.
    """

    @wraps(function)
    def once(*args: P.args, **kwargs: P.kwargs) -> R:
        memory = _memory.get()
        everything = (*args, *kwargs.values())
        recording = is_grad_enabled() and any(isinstance(a, Tensor) and a.requires_grad for a in everything)
        if memory is None or recording:
            return function(*args, **kwargs)
        mark = tuple(("tensor", id(a)) if isinstance(a, Tensor) else a for a in everything)
        key = (function, mark, tuple(kwargs))
        if key not in memory:
            memory[key] = (
                function(*args, **kwargs),
                everything,
            )  # the arguments are kept so that ids stay taken
        result: R = memory[key][0]
        return result

    return once
