"""What an entry is: a metric's card, its options, and what it returns. Standard library only."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Card:
    """What a metric's number means and what the metric wants to be handed.

    reads      of the test image: "code" (any encoding, named by the stage), "nits", "linear", or one encoding's name
    reference  the same for the reference; None for a no-reference metric; "" when it is as `reads`
    grey       True: one channel; the encoding says whether luminance or luma
    codes      True: code is handed in 8-bit-like codes (0..255 for sRGB, 0..595 for PU21) instead of 1.0 = white
    span       range of the value; None at an end that is open
    best       value of identical images, where that is a constant
    needs      keyword arguments the engine supplies: "ppd", "display", "net", "encoding"
    side       smallest image side, pixels
    planes     peak memory, in float32 planes of the image's size, for refusing before memory runs out
    trainable  whether the gradient may be trained on
    net        shelf name of the network of a learned metric
    sequence   (option, value) with which a batch is the frames of one sequence and gets one value
    turns      (option, value) pairs with which the value's direction is the other one
    map        what the map shows: "probability" of detection, "similarity" (1 is best whatever the value's
               direction), "difference" (0 is best), "attention", or "" for the value's own scale and direction
    """

    title: str
    unit: str
    better: Literal["higher", "lower"]
    span: tuple[float | None, float | None]
    reads: str
    source: str
    reference: str | None = ""
    grey: bool = False
    codes: bool = False
    best: float | None = None
    needs: tuple[str, ...] = ()
    side: int = 1
    planes: float = 30.0
    trainable: bool = True
    net: str | None = None
    sequence: tuple[str, str] | None = None
    turns: tuple[tuple[str, str], ...] = ()
    map: str = ""

    @property
    def reference_reads(self) -> str | None:
        return self.reads if self.reference == "" else self.reference


@dataclass(frozen=True)
class Option:
    """One keyword argument of a metric, as the command line sees it."""

    name: str
    default: Any
    choices: tuple[str, ...] = ()
    kind: type = str


@dataclass(frozen=True)
class Metric:
    """A pure function and its card. Calling it calls the function."""

    name: str
    card: Card
    function: Callable[..., Any]

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.function(*args, **options)

    @property
    def options(self) -> dict[str, Option]:
        """Keyword arguments a user may set: those the engine does not supply."""
        hints = inspect.get_annotations(self.function, eval_str=True) if _safe(self.function) else {}
        found = {}
        for name, p in inspect.signature(self.function).parameters.items():
            if p.kind is p.KEYWORD_ONLY and (name not in self.card.needs or name == "ppd"):
                choices = (
                    getattr(hints.get(name), "__args__", ()) if "Literal" in str(hints.get(name)) else ()
                )
                kind = type(p.default) if p.default not in (None, p.empty) else str
                found[name] = Option(name, p.default, tuple(choices), kind)
        return found


def _safe(function: Callable[..., Any]) -> bool:
    """Whether the annotations can be evaluated (names imported only for type checkers cannot)."""
    try:
        inspect.get_annotations(function, eval_str=True)
    except NameError:
        return False
    return True


def metric(card: Card) -> Callable[[Callable[..., Any]], Metric]:
    """Turn a function into a Metric that is known by the function's name, with - for _."""

    def wrap(function: Callable[..., Any]) -> Metric:
        return Metric(function.__name__.replace("_", "-"), card, function)

    return wrap


@dataclass(frozen=True)
class Reading:
    """What a metric says of a batch: value (N,), optionally a map (N,1,h,w) and further numbers (N,) by name.

    map    (N,3,h,w) where the metric chose colours itself: display code 0..1
    notes  what a reader of the number should know, one line each
    """

    value: Tensor
    map: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
