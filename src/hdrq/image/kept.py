"""Results that are computed once and kept: tables, filters and windows that depend on sizes, dtypes and devices."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def kept(maxsize: int | None = 128) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """`functools.lru_cache` for functions that make tensors.

    A batch is scored in inference mode. A tensor made there and kept could not be used where a gradient is asked for
    later, so what is kept is made outside of it.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def made(*args: P.args, **options: P.kwargs) -> R:
            with torch.inference_mode(False):
                return function(*args, **options)

        return wraps(function)(lru_cache(maxsize)(made))  # type: ignore[return-value]

    return wrap
