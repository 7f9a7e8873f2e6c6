"""How a sequence was captured: settings of `hdrq merge --pattern`, and which of them contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from numbers import Real
from typing import Literal

from hdrq.encoding.settings import refuse_unknown_choices
from hdrq.errors import UsageError

Pattern = Literal["none", "alternating", "bayer-me"]
Neighbours = Literal["both", "nearest", "previous"]
Filters = Literal["auto", "rggb", "bggr", "grbg", "gbrg", "none"]
CYCLES = (2, 3)
# frames before and after among which neighbours are searched; one frame may be missing
REACH = max(CYCLES)
_OF_ALTERNATING = ("cycle", "neighbours")
_OF_PIXELS = ("layout", "gains", "filters", "noise")


@dataclass(frozen=True)
class Capture:
    """Settings of frames whose exposures follow a pattern; every field is the option of the same name of `hdrq merge`.

    cycle       frames after which exposures repeat, 2 or 3; needed only where exposures are estimated
    neighbours  frames merged with each: of every other exposure the last before and the first after it ("both"), the nearer
                of the two ("nearest"), or the one before ("previous")
    layout      exposures of the pixels of a mosaic: a name, or a tile of numbers from 0, such as 0000/0000/1111/1111
    gains       amplification of each exposure, beside the exposures that times or ev state
    filters     colours of the four top left pixels, where the file does not state them; "none" for a monochrome sensor
    noise       (electrons that saturate a pixel, read noise in electrons)
    """

    pattern: Pattern = "none"
    cycle: int | None = None
    neighbours: Neighbours = "both"
    layout: str = ""
    gains: Sequence[float] | None = None
    filters: Filters = "auto"
    noise: tuple[float, float] | None = None

    def refuse_contradictions(self) -> None:
        """Raise UsageError for wrong values, and for what the pattern does not use."""
        refuse_unknown_choices(self)
        plain = Capture()
        given = [f.name for f in fields(self) if getattr(self, f.name) != getattr(plain, f.name)]
        for pattern, names in (("alternating", _OF_ALTERNATING), ("bayer-me", _OF_PIXELS)):
            idle = [name for name in given if name in names]
            if self.pattern != pattern and idle:
                raise UsageError(f"--{idle[0]} is for --pattern {pattern}; add it or leave --{idle[0]} out")
        if self.cycle is not None and self.cycle not in CYCLES:
            raise UsageError(f"--cycle is 2 or 3 frames, not {self.cycle}")
        if self.gains is not None and not all(_positive(g) for g in self.gains):
            raise UsageError(f"--gains are positive factors, such as 1,16, not {_listed(self.gains)}")
        if self.noise is not None and not (
            len(self.noise) == 2
            and _positive(self.noise[0])
            and (self.noise[1] == 0 or _positive(self.noise[1]))
        ):
            raise UsageError(
                f"--noise is the electrons that saturate a pixel and the read noise in electrons, such as 15000,4, "
                f"not {_listed(self.noise)}"
            )


def _positive(value: object) -> bool:
    return isinstance(value, Real) and 0 < float(value) < inf


def _listed(values: Sequence[float]) -> str:
    return ",".join(f"{v:g}" if isinstance(v, Real) else str(v) for v in values)
