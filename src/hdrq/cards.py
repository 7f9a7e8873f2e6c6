"""Cards of entries: what a metric's number means, its options, and its results. Standard library only."""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union

from hdrq.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Better = Literal["higher", "lower"]
Span = tuple[float | None, float | None]


@dataclass(frozen=True)
class Output:
    """A number that a metric can give: its name, unit, direction and range.

    span  range of the value; None at an open end
    best  value of identical images, where that is a constant
    when  options, all of (name, value), that select this number
    """

    name: str
    unit: str
    better: Better
    span: Span
    best: float | None = None
    when: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Card:
    """What a metric's number means and which input the metric needs.

    unit, better, span, best  of the value with default options, as in Output
    outputs    other numbers that options select; the first that matches the options is used
    reads      of the test image: "code" (any encoding, named by the stage), "nits", "linear", or one encoding's name
    reference  the same for the reference; None for a no-reference metric; "" when it is as `reads`
    light      the tone mapping operator through which a no-reference metric of code takes light where no stage is named
    space      of light: "working" (RGB of the working primaries of the call), "bt709", "bt2020", "p3", "xyz", or
               "luminance" (RGB of BT.709 files, which the metric weights itself; for other files Y, one channel)
    grey       True: one channel; the encoding says whether luminance or luma
    codes      True: input in 8-bit-like codes (0..255 for sRGB, 0..595 for PU21) instead of 1.0 = white
    needs      keyword arguments that the engine supplies: "ppd", "display", "net", "encoding", "primaries", "maps"
    side       smallest image side, pixels
    planes     peak memory, in float32 planes of the image's size, to refuse images that are too large
    trainable  whether the gradient may be used for training
    net        name of the network of a learned metric
    sequence   (option, value) with which a batch is the frames of one sequence and has one value
    stack      whether the reference is an exposure stack (K, C, H, W), a folder of exposures of one scene, for one test image
    streams    whether such a sequence may come as iterables of frames (C, H, W), read once, in order
    map        meaning of the map: "probability" of detection, "similarity" (1 is best whatever the value's
               direction), "difference" (0 is best), "error" (0 is best, 1 the worst possible), "attention", or "" for the
               value's own scale and direction
    """

    title: str
    unit: str
    better: Better
    span: Span
    reads: str
    source: str
    reference: str | None = ""
    light: str = ""
    outputs: tuple[Output, ...] = ()
    space: Literal["working", "bt709", "bt2020", "p3", "xyz", "luminance"] = "working"
    grey: bool = False
    codes: bool = False
    best: float | None = None
    needs: tuple[str, ...] = ()
    side: int = 1
    planes: float = 30.0
    trainable: bool = True
    net: str | None = None
    sequence: tuple[str, str] | None = None
    stack: bool = False
    streams: bool = False
    map: str = ""

    @property
    def reference_reads(self) -> str | None:
        """What the metric reads of the reference: as of the test image where the card says nothing; None without a reference."""
        return self.reads if self.reference == "" else self.reference


@dataclass(frozen=True)
class Option:
    """One keyword argument that a user can set. Its type comes from the annotation.

    choices   of a Literal; empty where any value of `kinds` is allowed
    kinds     types that a value may have, tried in this order: bool, int, float, str
    optional  whether None is allowed, which is written as auto or none
    """

    name: str
    default: Any
    choices: tuple[Any, ...] = ()
    kinds: tuple[type, ...] = (str,)
    optional: bool = False

    @property
    def kind(self) -> type:
        """The first of the allowed types."""
        return self.kinds[0] if self.kinds else str

    def parse(self, value: Any, owner: str) -> Any:
        """A typed value of a text or of a Python value; UsageError states what is allowed."""
        text = str(value).strip()
        for choice in self.choices:
            if text == str(choice) or (isinstance(choice, bool) and _truth(text) is choice):
                return choice
        if self.optional and (value is None or text.lower() in ("none", "auto")):
            return None
        for kind in self.kinds:
            found = _typed(kind, text)
            if found is not None:
                return found
        if not self.kinds:
            wants = f"one of {', '.join(map(str, self.choices))}"
        else:
            wants = {bool: "true or false", int: "a whole number"}.get(self.kind, "a number")
        raise UsageError(f"{owner}: {self.name}={text} is not {wants}")


def _truth(text: str) -> bool | None:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())


def _typed(kind: type, text: str) -> Any:
    """The text as one type, or None where it does not have that type. Numbers are finite."""
    if kind is bool:
        return _truth(text)
    if kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return text


def options_of(function: Callable[..., Any], supplied: Iterable[str] = ()) -> dict[str, Option]:
    """The keyword-only parameters of a function, except those that the engine supplies, as options."""
    hidden = set(supplied)
    found = {}
    for name, p in inspect.signature(function).parameters.items():
        if p.kind is p.KEYWORD_ONLY and name not in hidden:
            choices, kinds, optional = _meaning(_hint(function, p.annotation))
            found[name] = Option(name, p.default, choices, kinds, optional)
    return found


def _hint(function: Callable[..., Any], annotation: Any) -> Any:
    """An annotation as a type; a parameter without one is text."""
    if annotation is inspect.Parameter.empty:
        return str
    if isinstance(annotation, str):
        return eval(annotation, getattr(inspect.unwrap(function), "__globals__", {}))
    return annotation


def _meaning(hint: Any) -> tuple[tuple[Any, ...], tuple[type, ...], bool]:
    """(choices, types, whether None is allowed) of an annotation."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return typing.get_args(hint), (), False
    if origin in (Union, UnionType):
        parts = [_meaning(part) for part in typing.get_args(hint) if part is not NoneType]
        choices = tuple(c for part in parts for c in part[0])
        kinds = {kind for part in parts for kind in part[1]}
        ordered = tuple(kind for kind in (bool, int, float, str) if kind in kinds)
        return choices, ordered, NoneType in typing.get_args(hint)
    return (), (hint,) if hint in (bool, int, float) else (str,), False


def settings_of(known: Mapping[str, Option], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The user's options, checked and converted to what the function takes."""
    settings = {}
    for name, value in given.items():
        name = name.replace("-", "_")
        if name not in known:
            raise UsageError(f"{owner} has no option '{name}'; its options are {', '.join(known) or 'none'}")
        settings[name] = known[name].parse(value, owner)
    return settings


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
        """Keyword arguments that a user may set: those that the engine does not supply, and ppd."""
        return options_of(self.function, set(self.card.needs) - {"ppd"})

    def output(self, options: Mapping[str, Any] | None = None) -> Output:
        """The number that the value is with these options: its unit, direction and range."""
        given = options or {}
        for output in self.card.outputs:
            if all(str(given.get(name)) == value for name, value in output.when):
                return output
        c = self.card
        return Output(self.name, c.unit, c.better, c.span, c.best)


def metric(card: Card) -> Callable[[Callable[..., Any]], Metric]:
    """Turn a function into a Metric with the name of the function, "-" for "_"."""

    def wrap(function: Callable[..., Any]) -> Metric:
        return Metric(function.__name__.replace("_", "-"), card, function)

    return wrap


@dataclass(frozen=True)
class Reading:
    """Result of a metric for a batch.

    value  (N,)
    map    (N, 1, h, w), or (N, 3, h, w): display code 0..1 in the metric's own colours
    extra  further numbers (N,) by name
    notes  remarks for the user, one line each
    shows  meaning of this map, where it is not that of the card: "exposure", "gradient", or as Card.map
    """

    value: Tensor
    map: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    shows: str = ""
