"""Adaptation that follows a scene slowly: the statistics of a frame, blended with those of the frames before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


class Adaptation:
    """What the last frame's statistics were, in the order an operator asks for them.

    pace  share of the new frame, 0..1: 1 - exp(-1 / frames) for a time constant in frames
    """

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.last: list[Tensor] = []
        self.now: list[Tensor] = []

    def follow(self, value: Tensor) -> Tensor:
        place = len(self.now)
        if place < len(self.last) and self.last[place].shape == value.shape:
            value = torch.lerp(self.last[place], value, self.pace)
        self.now.append(value.detach())
        return value

    @contextmanager
    def frame(self, afresh: bool = False) -> Iterator[None]:
        """Within it, statistics of one frame are blended. afresh  forget the past, as after a cut."""
        self.last, self.now = ([] if afresh else self.now), []
        token = _adapting.set(self)
        try:
            yield
        finally:
            _adapting.reset(token)


_adapting: ContextVar[Adaptation | None] = ContextVar("hdrq_adaptation", default=None)


def remembered(statistic: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """A statistic of a frame that follows slowly within `Adaptation.frame()`, and is itself outside."""

    @wraps(statistic)
    def blended(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        value = statistic(*args, **kwargs)
        adapting = _adapting.get()
        return value if adapting is None else adapting.follow(value)

    return blended
