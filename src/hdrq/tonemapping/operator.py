"""Tone mapping operators and expanders: a pure function, and a card that states its input and output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import inf, isfinite
from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.cards import Option, options_of, settings_of
from hdrq.errors import PixelError, UsageError
from hdrq.image.arithmetic import extremes, in_place
from hdrq.image.statistics import counting, filled
from hdrq.image.transfer import srgb_to_linear

# Limits of options by name, for every operator; a card may narrow them.
_LIMITS: Mapping[str, tuple[float, float]] = {
    "ev": (-40, 40),
    "key": (1e-4, 100),
    "white": (1e-3, 1e30),
    "peak_nits": (1, 1e5),
    "black_nits": (0, 100),
    "display_nits": (1e-3, 1e5),
    "adaptation_nits": (1e-6, 1e8),
    "source_nits": (1, 1e5),
    "gamma": (0.1, 10),
    "saturation": (0, 5),
    "sigma_range": (1e-3, 100),
}
# Variants that reproduce a program, including its treatment of black pixels.
PROGRAMS = frozenset({"hdrtoolbox", "hdrtoolbox-robust", "pfstools", "opencv"})


@dataclass(frozen=True)
class OperatorCard:
    """Description of an operator.

    reads           "nits": absolute cd/m², "linear": any scale, "code": sRGB-like code 0..1 (expanders)
    gives           "linear": share of the display's peak, "code": sRGB code 0..1, "nits": cd/m² (expanders)
    differentiable  whether the gradient with respect to the light is the true one almost everywhere
    robust          False where the brightest or darkest pixel sets the scale of the image in the source, or where the image is
                    divided by thresholds, so that a small change can give another division
    tunes           parameters worth optimising for one image, with the range to search
    stepped         those of them on which the result depends in steps, so that it has no gradient by them
    colour          those of them that change colours but not luminance
    limits          smallest and largest value of a numeric option, where they are not those of its name
    needs           options that have an effect only with some values of another one: {name: (other, values)}
    temporal        whether its statistics can be smoothed over time
    display         options that model the display: white, black, ambient light
    """

    title: str
    source: str
    reads: Literal["nits", "linear", "code"] = "linear"
    gives: Literal["linear", "code", "nits"] = "linear"
    differentiable: bool = True
    robust: bool = True
    tunes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    stepped: tuple[str, ...] = ()
    colour: tuple[str, ...] = ()
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, tuple[str | bool, ...]]] = field(default_factory=dict)
    temporal: bool = True
    display: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operator:
    """A card and its function. `function` gives the source's own values; a call gives displayable values."""

    name: str
    card: OperatorCard
    function: Callable[..., Tensor]

    def __reduce__(self) -> tuple[Any, ...]:
        # the name there means the operator
        return _found, (
            self.function.__module__,
            self.function.__qualname__,
        )

    def __call__(self, light: Tensor, **options: Any) -> Tensor:
        """Map (N, 1 or 3, H, W) in the domain of the card to display-linear 0..1 (an expander: cd/m²), always finite."""
        shown = self.render(light, **options)
        return shown if self.card.gives == "nits" else _clipped(shown)

    def render(self, light: Tensor, **options: Any) -> Tensor:
        """As a call, but colours outside the display's gamut keep their values above 1.

        Negative light is taken as black. Black pixels remain black and are ignored: statistics exclude them, black
        borders are cropped, and other black pixels are filled from their surroundings for filters and solvers.
        Variants that reproduce a program treat them as the program does. NaN and Inf are refused, and options outside their
        limits.
        """
        shown = self.values(light, **options)
        return srgb_to_linear(_clipped(shown)) if self.card.gives == "code" else shown

    def values(self, light: Tensor, **options: Any) -> Tensor:
        """What `function` gives, code or light as on the card, with the care that `render` takes; not below 0, and finite."""
        least, greatest = extremes(light)
        if not isfinite(least) or not isfinite(greatest):
            raise PixelError(f"{self.name} got NaN or Inf; mask or clip those pixels first")
        self.check(options)
        light = light if least > 0 else light.clamp(min=0)
        if self.card.reads == "code" or self._variant(options) in PROGRAMS:
            shown = self.function(light, **options)
        else:
            lit = None if least > 0 else light.detach().amax(1, keepdim=True) > 0
            if lit is None or bool(lit.all()):
                shown = self.function(light, **options)
            else:
                shown = torch.cat([self._lit(f[None], m[None], options) for f, m in zip(light, lit)])
        least, greatest = extremes(shown)
        if not isfinite(least) or not isfinite(greatest):
            shown = torch.nan_to_num(shown, nan=0.0)
        if not least >= 0:
            shown = shown.clamp(min=0)
        # what is returned may be changed
        own = shown.untyped_storage().data_ptr() != light.untyped_storage().data_ptr()
        return shown if own else shown.clone()

    def _lit(self, light: Tensor, lit: Tensor, options: Mapping[str, Any]) -> Tensor:
        """One image with black pixels ignored: black borders cropped, black pixels within them filled."""
        shown = torch.zeros_like(light)
        if bool(lit.any()):
            rows, columns = (_span(lit[0, 0].any(dim)) for dim in (1, 0))
            light, lit = light[..., rows, columns], lit[..., rows, columns]
            with counting(lit):
                shown[..., rows, columns] = self.function(filled(light, lit), **options) * lit
        return shown

    def _variant(self, options: Mapping[str, Any]) -> str:
        known = self.options.get("variant")
        return str(options.get("variant", known.default if known else ""))

    def limits(self, name: str) -> tuple[float, float]:
        """Smallest and largest value of a numeric option."""
        return self.card.limits.get(name) or _LIMITS.get(name) or (-inf, inf)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise UsageError for a number that is not finite or beyond its option's limits."""
        for name, value in settings.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            low, high = self.limits(name)
            if not isfinite(value) or not low <= value <= high:
                raise UsageError(f"{self.name}: {name}={value:g} is not within {low:g} .. {high:g}")
        peak, black = (
            settings.get(n, self.options[n].default if n in self.options else None)
            for n in ("peak_nits", "black_nits")
        )
        if isinstance(peak, int | float) and isinstance(black, int | float) and not black < peak:
            raise UsageError(f"{self.name}: black_nits={black:g} is not below peak_nits={peak:g}")

    @property
    def options(self) -> dict[str, Option]:
        """Keyword arguments by name, with defaults and choices."""
        return options_of(self.function)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options as a user types them, checked and converted to what the function takes; those without effect are refused."""
        settings = settings_of(self.options, given, self.name)
        self.check(settings)
        for name in settings:
            if not self.uses(name, settings):
                other, values = self.card.needs[name]
                allowed = " or ".join(f"{other}={value}" for value in values)
                raise UsageError(f"{self.name}: {name} has an effect only with {allowed}; leave it out")
        return settings

    def uses(self, name: str, settings: Mapping[str, Any]) -> bool:
        """Whether an option has an effect beside the other settings."""
        if name not in self.card.needs:
            return True
        other, values = self.card.needs[name]
        return settings.get(other, self.options[other].default) in values


def _clipped(shown: Tensor) -> Tensor:
    """Values of an operator above 1 set to 1; in place where nothing else can need them."""
    return shown.clamp_(max=1) if in_place(shown) and shown.is_contiguous() else shown.clamp(max=1)


def _span(used: Tensor) -> slice:
    """Range of the mask: from the first to the last true value."""
    at = used.nonzero().flatten()
    return slice(int(at[0]), int(at[-1]) + 1)


def operator(card: OperatorCard) -> Callable[[Callable[..., Tensor]], Operator]:
    """Turn a function into an Operator with the name of the function, "-" for "_"."""

    def wrap(function: Callable[..., Tensor]) -> Operator:
        return Operator(function.__name__.replace("_", "-"), card, function)

    return wrap


def _found(module: str, name: str) -> Operator:
    """The operator of a module, for pickles."""
    operator: Operator = getattr(import_module(module), name)
    return operator
