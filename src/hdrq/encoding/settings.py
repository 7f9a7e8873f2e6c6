"""What is known of the light besides the pixels: scale, display, viewing, and what the files of either side hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from math import isfinite
from numbers import Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hdrq.encoding.emission import refuse_unknown_domain
from hdrq.errors import UsageError
from hdrq.records import PRIMARIES, Display, Viewing


def refuse_unknown_primaries(name: str | None) -> None:
    """Raise UsageError for a name of primaries that does not exist."""
    if name is not None and name not in PRIMARIES:
        raise UsageError(f"unknown primaries '{name}'; choose one of {', '.join(PRIMARIES)}")


@cache
def _choices(kind: type) -> dict[str, tuple[Any, ...]]:
    """The values of fields that are one of several words, or true or false."""
    hints = get_type_hints(kind)
    words = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}
    return words | {name: (True, False) for name, hint in hints.items() if hint is bool}


def refuse_unknown_choices(record: Any) -> None:
    """Raise UsageError where a field of a dataclass is none of the words of its type, as the command line does."""
    for name, words in _choices(record.__class__).items():
        if (value := getattr(record, name)) not in words:
            raise UsageError(f"{name}: '{value}' is not one of {', '.join(map(str, words))}")


def refuse_impossible_numbers(record: Any, positive: tuple[str, ...], others: tuple[str, ...] = ()) -> None:
    """Raise UsageError where a field is neither None nor a finite number, above zero or, of `others`, not below it."""
    for name in (*positive, *others):
        value = getattr(record, name)
        known = value is None or (isinstance(value, Real) and isfinite(value))
        if name in positive and not (known and (value is None or value > 0)):
            raise UsageError(f"{name} must be a positive, finite number, not {value!r}")
        if not (known and (value is None or value >= 0)):
            raise UsageError(f"{name} must be a finite number of at least 0, not {value!r}")


@dataclass(frozen=True)
class Side:
    """What is known of the files of one side only; None: as for both sides.

    scale      cd/m² of a value of 1 in a relative file, and of code 1.0 in a relative encoding
    primaries  those the files hold
    """

    domain: str | None = None
    scale: float | None = None
    display: Display | None = None
    primaries: str | None = None

    def __post_init__(self) -> None:
        refuse_impossible_numbers(self, ("scale",))
        refuse_unknown_primaries(self.primaries)
        refuse_unknown_domain(self.domain)


@dataclass(frozen=True)
class Photometry:
    """How pixel values become light.

    display    None: by the domain of the file (sRGB code on `sdr`, HLG on its display, PQ and light without one)
    scale      cd/m² of a pixel value of 1 in a relative file; None: the values are in cd/m²
    peak       cd/m² to which the reference's maximum is scaled (and the test image by the same factor)
    white      cd/m² of a pixel value of 1, and of 1.0 in relative encodings (mu, srgb, hlg, linear)
    domain     of the files, where they cannot state it (untagged PQ in a PNG)
    nonfinite  NaN and Inf: "error" refuses the file, "clamp" makes NaN black and Inf the largest value
    primaries  working primaries of metrics of RGB; None: the smallest of BT.709, P3, BT.2020 that contain both images
    file_primaries  what the files hold, where they cannot say so themselves (BT.2020 in a PFM)
    ref, dist  properties of the reference's file only, and of the test image's file only
    """

    display: Display | None = None
    viewing: Viewing = field(default_factory=Viewing)
    scale: float | None = None
    peak: float | None = None
    white: float | None = None
    domain: str | None = None
    nonfinite: Literal["error", "clamp"] = "error"
    primaries: str | None = None
    file_primaries: str | None = None
    ref: Side = Side()
    dist: Side = Side()

    def __post_init__(self) -> None:
        refuse_unknown_choices(self)
        refuse_impossible_numbers(self, ("scale", "peak", "white"))
        refuse_unknown_primaries(self.primaries)
        refuse_unknown_primaries(self.file_primaries)
        refuse_unknown_domain(self.domain)

    @property
    def assumes_absolute(self) -> bool:
        """Whether it is only a convention that light is in cd/m²."""
        return self.scale is None and self.peak is None and self.white is None

    def of(self, side: Side) -> Photometry:
        """The photometry for the files of one side."""
        if side == Side():
            return self
        own = replace(
            self,
            display=side.display or self.display,
            domain=side.domain or self.domain,
            file_primaries=side.primaries or self.file_primaries,
        )
        return own if side.scale is None else replace(own, scale=side.scale, peak=None, white=side.scale)
