"""Averaging rules and response estimators: a pure function and its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

# added to the sum of weights, as in OpenCV
TINY = 2.2204460492503131e-16


@dataclass(frozen=True)
class RuleCard:
    """A rule maps one frame's exposure, weight and exposure time to its Terms.

    logarithmic  the terms average ln radiance, and `offset` is added to exposures before the logarithm
    first_pass   the rule whose radiance predicts the noise of every pixel, given to the rule as `variance`; "" for none
    """

    title: str
    source: str
    logarithmic: bool = False
    first_pass: str = ""


@dataclass(frozen=True)
class EstimatorCard:
    """An estimator maps sampled codes (P, N, C) and exposures (P,) to ln exposure of every 8-bit code, (256, C).

    automatic  used by --response auto; set for one estimator
    """

    title: str
    source: str
    automatic: bool = False


@dataclass(frozen=True)
class Entry:
    """A card and its function. Calling it calls the function."""

    name: str
    card: Any
    function: Callable[..., Any]

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(*args, **options)


def entry(card: RuleCard | EstimatorCard) -> Callable[[Callable[..., Any]], Entry]:
    """Turn a function into an Entry known by the function's name, with - for _."""

    def wrap(function: Callable[..., Any]) -> Entry:
        return Entry(function.__name__.replace("_", "-"), card, function)

    return wrap


class Terms(NamedTuple):
    """Contribution of one frame to a weighted mean: Σ numerator / Σ denominator, of any shape."""

    numerator: Tensor
    denominator: Tensor


def quotient(numerator: Tensor, denominator: Tensor, logarithmic: bool = False) -> Tensor:
    """The mean, computed in place; 0 where no frame has weight."""
    mean = numerator.div_(denominator.clamp_(min=TINY))
    return mean.exp_() if logarithmic else mean
