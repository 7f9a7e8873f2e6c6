"""What is known of the light besides the pixels: scale, display, viewing, and what the files of either side hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from hdrq.encoding.emission import refuse_unknown_domain
from hdrq.errors import UsageError
from hdrq.records import PRIMARIES, Display, Viewing


def refuse_unknown_primaries(name: str | None) -> None:
    """Raise UsageError for a name of primaries that does not exist."""
    if name is not None and name not in PRIMARIES:
        raise UsageError(f"no primaries are called '{name}'; there are {', '.join(PRIMARIES)}")


@dataclass(frozen=True)
class Side:
    """What is known of the files of one side only; None: as for both sides. primaries: those the files hold."""

    domain: str | None = None
    scale: float | None = None
    display: Display | None = None
    primaries: str | None = None

    def __post_init__(self) -> None:
        refuse_unknown_primaries(self.primaries)
        refuse_unknown_domain(self.domain)


@dataclass(frozen=True)
class Photometry:
    """What turns numbers into light.

    display    None: by what the file holds (sRGB code on `sdr`, HLG on its screen, PQ and light as they are)
    scale      cd/m² of a pixel value of 1 in a relative file; None: the values are cd/m² already
    peak       cd/m² at which the reference's brightest value is put (and the test's, by the same factor)
    white      cd/m² of a pixel value of 1, and what relative encodings (mu, srgb, linear) call 1.0
    domain     what the files hold, where they cannot say so themselves (untagged PQ in a PNG)
    nonfinite  NaN and Inf: "error" refuses the file, "clamp" makes NaN black and Inf the largest value
    primaries  working primaries of metrics of RGB; None: the smallest of BT.709, P3, BT.2020 that hold both images
    file_primaries  what the files hold, where they cannot say so themselves (BT.2020 in a PFM)
    ref, dist  what is known of the reference's file, and of the test image's, only
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
        refuse_unknown_primaries(self.primaries)
        refuse_unknown_primaries(self.file_primaries)
        refuse_unknown_domain(self.domain)

    @property
    def assumes_absolute(self) -> bool:
        """Whether nothing but convention says that light is in cd/m²."""
        return self.scale is None and self.peak is None and self.white is None

    def of(self, side: Side) -> Photometry:
        """The photometry of the files of one side."""
        if side == Side():
            return self
        own = replace(
            self,
            display=side.display or self.display,
            domain=side.domain or self.domain,
            file_primaries=side.primaries or self.file_primaries,
        )
        return own if side.scale is None else replace(own, scale=side.scale, peak=None, white=None)
