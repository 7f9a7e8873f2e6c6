"""What a merging rule is: a pure function and its card; the sums that become radiance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor

Kind = Literal["response", "rule", "fusion"]


@dataclass(frozen=True)
class MergerCard:
    """What stands behind a merger.

    kind  "response": sampled codes and exposures to a camera's curve, (P, N, C) to (levels, C)
          "rule":     one frame's light, weight and exposure to its terms of a weighted mean
          "fusion":   frames to a picture that can be shown, without radiance in between
    """

    title: str
    kind: Kind
    source: str


@dataclass(frozen=True)
class Merger:
    """A card and its function. Calling it calls the function."""

    name: str
    card: MergerCard
    function: Callable[..., Any]

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(*args, **options)


def merger(card: MergerCard) -> Callable[[Callable[..., Any]], Merger]:
    """Turn a function into a Merger known by the function's name, with - for _."""

    def wrap(function: Callable[..., Any]) -> Merger:
        return Merger(function.__name__.replace("_", "-"), card, function)

    return wrap


TINY = 2.2204460492503131e-16  # as OpenCV adds to the sum of weights


class Terms(NamedTuple):
    """One frame's share of a weighted mean: Σ above / Σ below, of any shape."""

    above: Tensor
    below: Tensor


def quotient(above: Tensor, below: Tensor, logarithmic: bool = False) -> Tensor:
    """The mean, in the memory of the sums. Where nothing was believed it is 0: the caller fills such pixels."""
    mean = above.div_(below.clamp_(min=TINY))
    return mean.exp_() if logarithmic else mean
