"""Types of the options that are numbers: NaN, infinity and what lies outside the range end with one line."""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import click

from hdrq.errors import UsageError

if TYPE_CHECKING:
    _Type = click.ParamType[float]
else:
    # not generic before click 8.5
    _Type = click.ParamType


class Number(_Type):
    """A finite number within [low, high], or above low where `above` is set.

    whole  only integers, without the rounding of a float
    """

    name = "number"

    def __init__(
        self, low: float = -inf, high: float = inf, *, above: bool = False, whole: bool = False
    ) -> None:
        self.low, self.high, self.above, self.whole = low, high, above, whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | int:
        try:
            number: float | int = int(value) if self.whole else float(value)
        except ValueError:
            number = float("nan")
        fits = self.low < number if self.above else self.low <= number
        if not (isfinite(number) and fits and number <= self.high):
            name = param.opts[-1] if param is not None else "it"
            raise UsageError(f"{name} must be {self.wanted}, not {value}")
        return number

    @property
    def wanted(self) -> str:
        """What the option takes, in words."""
        kind = "an integer" if self.whole else "a finite number"
        if self.high < inf:
            return f"{kind} from {self.low:g} to {self.high:g}"
        if self.low == -inf:
            return kind
        if self.whole:
            return f"{kind} of at least {self.low:g}"
        return "positive and finite" if self.above else f"finite and at least {self.low:g}"


FINITE = Number()
POSITIVE = Number(0, above=True)
NOT_NEGATIVE = Number(0)
SHARE = Number(0, 1)
SEED = Number(0, 2**32 - 1, whole=True)
COUNT = Number(1, 10**9, whole=True)
# of JPEG and its like
QUALITY = Number(1, 100, whole=True)
