"""What a tone mapper or an expander is: a pure function, and a card that says what it wants and gives."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.cards import Option
from hdrq.errors import PixelError, UsageError
from hdrq.image.arithmetic import all_finite
from hdrq.image.transfer import srgb_to_linear


@dataclass(frozen=True)
class OperatorCard:
    """What stands behind an operator.

    reads           "nits": absolute cd/m², "linear": any scale, "code": sRGB-like code 0..1 (expanders)
    gives           "linear": share of the display's peak, "code": sRGB code 0..1, "nits": cd/m² (expanders)
    differentiable  whether the gradient with respect to the light is the true one almost everywhere
    robust          False where the source lets the brightest or darkest pixel set the scale of the picture
    tunes           parameters worth tuning for one image, with the range to search
    """

    title: str
    source: str
    reads: Literal["nits", "linear", "code"] = "linear"
    gives: Literal["linear", "code", "nits"] = "linear"
    differentiable: bool = True
    robust: bool = True
    tunes: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Operator:
    """A card and its function. `function` gives the source's own numbers; a call gives what can be shown."""

    name: str
    card: OperatorCard
    function: Callable[..., Tensor]

    def __call__(self, light: Tensor, **options: Any) -> Tensor:
        """(N, 1 or 3, H, W) of what the card reads to display-linear 0..1 (an expander: cd/m²), always finite."""
        shown = self.render(light, **options)
        return shown if self.card.gives == "nits" else shown.clamp(max=1)

    def render(self, light: Tensor, **options: Any) -> Tensor:
        """As a call, but colours beyond the display's gamut keep their values above 1.

        Negative light counts as black. NaN and Inf are refused.
        """
        if not all_finite(light):
            raise PixelError(f"{self.name} was handed NaN or Inf; mask or clip those pixels first")
        shown = torch.nan_to_num(self.function(light.clamp(min=0), **options), nan=0.0).clamp(min=0)
        return srgb_to_linear(shown.clamp(max=1)) if self.card.gives == "code" else shown

    @property
    def options(self) -> dict[str, Option]:
        """Keyword arguments by name, with defaults and choices."""
        hints = typing.get_type_hints(self.function)
        found = {}
        for name, p in signature(self.function).parameters.items():
            if p.kind is p.KEYWORD_ONLY:
                choices = typing.get_args(hints[name]) if typing.get_origin(hints[name]) is Literal else ()
                kind = next(
                    (k for k in (bool, int, str) if hints[name] is k or (choices and k is str)), float
                )
                found[name] = Option(name, p.default, tuple(choices), kind)
        return found

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options as typed by a user, checked and turned into what the function takes."""
        known, settings = self.options, {}
        for name, value in given.items():
            name = name.replace("-", "_")
            if name not in known:
                raise UsageError(f"{self.name} has no option '{name}'; it has {', '.join(known) or 'none'}")
            settings[name] = _typed(known[name], value)
        return settings


def _typed(option: Option, value: Any) -> Any:
    """The text as the option's kind; "auto" is None where None is the default."""
    if value is None or (option.default is None and str(value).lower() in ("auto", "none")):
        return None
    if option.choices:
        if str(value) not in option.choices:
            raise UsageError(f"{option.name}={value} is not one of {', '.join(option.choices)}")
        return str(value)
    if option.kind is bool:
        if str(value).lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise UsageError(f"{option.name}={value} is neither yes nor no")
        return str(value).lower() in ("true", "yes", "1")
    try:
        return option.kind(value)
    except ValueError:
        raise UsageError(f"{option.name}={value} is not a number") from None


def operator(card: OperatorCard) -> Callable[[Callable[..., Tensor]], Operator]:
    """Turn a function into an Operator known by the function's name, with - for _."""

    def wrap(function: Callable[..., Tensor]) -> Operator:
        return Operator(function.__name__.replace("_", "-"), card, function)

    return wrap
