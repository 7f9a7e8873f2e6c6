"""Results that are kept: tables for all calls (`cached`), transforms of one tensor for the metrics of a call (`shared`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, is_grad_enabled

P = ParamSpec("P")
R = TypeVar("R")
_memory: ContextVar[dict[Any, Any] | None] = ContextVar("hdrq_memory", default=None)


def cached(maxsize: int | None = 128) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """`functools.lru_cache` for functions that make tensors.

    A batch is scored in inference mode. A tensor made there could not take part in a later computation of a gradient,
    so tensors of the cache are made outside of it.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def made(*args: P.args, **options: P.kwargs) -> R:
            with torch.inference_mode(False):
                return function(*args, **options)

        return wraps(function)(lru_cache(maxsize)(made))  # type: ignore[return-value]

    return wrap


@contextmanager
def sharing(fresh: bool = False) -> Iterator[None]:
    """Within this block, functions marked `@shared` return remembered results for repeated arguments.

    fresh  discard all results at the end of this block; False: a nested block shares the results of the outer one
    """
    if _memory.get() is not None and not fresh:
        yield
        return
    token = _memory.set({})
    try:
        yield
    finally:
        _memory.reset(token)


def shared(function: Callable[P, R]) -> Callable[P, R]:
    """Remember results within a `sharing()` block, keyed by the identity of tensors and the values of other arguments.

    Outside such a block, and while a gradient is recorded, the function is called every time.
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
            # the arguments are kept alive so that their ids are not reused
            memory[key] = (
                function(*args, **kwargs),
                everything,
            )
        result: R = memory[key][0]
        return result

    return once
