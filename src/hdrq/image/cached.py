"""Results that are computed once: tables, filters and windows that depend on sizes, dtypes and devices."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


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
