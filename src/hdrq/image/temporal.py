"""Temporal adaptation: the statistics of a video frame are blended with those of previous frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import torch
from torch import Tensor


class Adaptation:
    """The blended statistics up to the last frame, by name.

    pace  weight of the new frame, 0..1: 1 - exp(-1 / frames) for a time constant in frames
    """

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.last: dict[str, Tensor] = {}
        self.now: dict[str, Tensor] = {}

    def follow(self, name: str, value: Tensor) -> Tensor:
        """The value blended with the previous value of the same name.

        raises  ValueError if one frame has two statistics of the same name
        """
        if name in self.now:
            raise ValueError(f"an operator has two statistics called '{name}'; name one of them")
        before = self.last.get(name)
        if before is not None and before.shape == value.shape:
            value = torch.lerp(before, value, self.pace)
        self.now[name] = value.detach()
        return value

    @contextmanager
    def frame(self, afresh: bool = False) -> Iterator[None]:
        """Within this block, the statistics of one frame are blended. afresh  forget earlier frames, as after a scene cut."""
        self.last, self.now = ({} if afresh else self.now), {}
        token = _adapting.set(self)
        try:
            yield
        finally:
            _adapting.reset(token)


_adapting: ContextVar[Adaptation | None] = ContextVar("hdrq_adaptation", default=None)


def follow(name: str, value: Tensor) -> Tensor:
    """A named statistic, blended over time within `Adaptation.frame()` and unchanged outside it."""
    adapting = _adapting.get()
    return value if adapting is None else adapting.follow(name, value)


def remembered(statistic: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A statistic blended over time within `Adaptation.frame()`.

    It is identified by its function and arguments ("ranked 0.01"), or by `name` where an operator uses one twice.
    """

    @wraps(statistic)
    def blended(x: Tensor, *args: Any, name: str = "") -> Tensor:
        return follow(name or " ".join(map(str, (statistic.__name__, *args))), statistic(x, *args))

    return blended
