"""A set to learn from: not pictures but how each is made, so that a set is small, and the same for everybody."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from math import exp, log
from pathlib import Path

import numpy as np

from hdrq.distillation.distortion import MOST
from hdrq.distillation.sources import Source
from hdrq.errors import FileError, UnknownName, UsageError
from hdrq.io import atomic
from hdrq.registry import names

SHELVES = ("distortion", "tonemapper", "expander")
# cd/m²: what the brightest light is put at. Drawn evenly in the logarithm.
PEAKS = {
    "light": (300.0, 8000.0),
    "sdr": (80.0, 250.0),
    "sdr-100": (100.0, 100.0),
    "bright": (500.0, 5000.0),
}
_CLEAN = 0.04  # share of rows that nothing happens to
_MILD = 0.2  # lowest level


@dataclass(frozen=True)
class Row:
    """One pair to be made.

    source      file;  scene  what must not be on both sides of a split
    y, x        corner of the cut;  side  of the result, pixels;  shrink  by which factor the cut is larger
    display     "light" (HDR as it is), or code shown on a screen: "sdr", "sdr-100" or "bright";  peak  cd/m², see PEAKS
    distortion  on one of SHELVES;  level  0..5;  seed  of its chance
    """

    number: int
    source: str
    scene: str
    y: int
    x: int
    side: int
    shrink: int
    display: str
    peak: float
    distortion: str
    level: float
    seed: int

    @property
    def view(self) -> tuple[object, ...]:
        """What the reference depends on besides the file's content."""
        return (self.y, self.x, self.side, self.shrink, self.display, self.peak)


def shelf_of(distortion: str) -> str:
    """The shelf a distortion stands on."""
    for shelf in SHELVES:
        if distortion in names(shelf):
            return shelf
    raise UnknownName(f"no distortion is called '{distortion}'; see: hdrq list distortions")


def make_set(
    sources: Sequence[Source],
    distortions: Sequence[str],
    n: int,
    *,
    seed: int = 0,
    side: int = 256,
    displays: Sequence[str] = ("sdr", "bright"),
    each: int = 6,
) -> list[Row]:
    """n rows. Row i is the same whatever n is, so that a set can grow and keep its scores.

    displays  screens that code is shown on; light is shown as it is
    each      distortions of one cut, so that a scorer learns what was done and not what is shown
    """
    for name in distortions:
        shelf_of(name)
    if unknown := [d for d in displays if d not in PEAKS]:
        raise UsageError(f"no training screen is called '{unknown[0]}'; there are {', '.join(PEAKS)}")
    fit = [s for s in sources if min(s.size) >= side and (s.light or displays)]
    if not fit or not distortions:
        raise UsageError(
            f"no picture is at least {side} pixels a side; use a smaller --crop, or other --images"
        )
    each = min(each, len(distortions))
    rows: list[Row] = []
    while len(rows) < n:
        view = len(rows) // each
        rows += _view(fit, distortions, view, seed, side, displays, each, len(rows))
    return rows[:n]


def _view(
    sources: Sequence[Source],
    distortions: Sequence[str],
    view: int,
    seed: int,
    side: int,
    displays: Sequence[str],
    each: int,
    first: int,
) -> list[Row]:
    """One cut, distorted in `each` ways."""
    kinds = [k for k in ([s for s in sources if s.light], [s for s in sources if not s.light]) if k]
    own = kinds[view % len(kinds)]  # as much of light as of code, however many files there are of each
    turn, place = divmod(view // len(kinds), len(own))
    source = own[np.random.default_rng([seed, 0, view % len(kinds), turn]).permutation(len(own))[place]]
    rng = np.random.default_rng([seed, 1, view])
    h, w = source.size
    shrink = int(rng.choice([f for f in (1, 2, 4) if side * f <= min(h, w)]))
    y, x = (int(rng.integers(0, n - side * shrink + 1)) for n in (h, w))
    display = "light" if source.light else str(rng.choice(list(displays)))
    low, high = PEAKS[display]
    peak = float(f"{exp(rng.uniform(log(low), log(high))):.4g}")
    rows = []
    for k, name in enumerate(rng.permutation(list(distortions))[:each]):
        level = 0.0 if rng.random() < _CLEAN else round(float(rng.uniform(_MILD, MOST)), 3)
        chance = int(rng.integers(2**31))
        rows.append(
            Row(
                first + k,
                str(source.path),
                source.scene,
                y,
                x,
                side,
                shrink,
                display,
                peak,
                str(name),
                level,
                chance,
            )
        )
    return rows


def write_rows(rows: Sequence[Row], path: Path) -> Path:
    """The set as a CSV manifest."""
    text = StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Row)])
    writer.writeheader()
    writer.writerows(asdict(r) for r in rows)
    with atomic(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8")
    return path


def read_rows(path: Path) -> list[Row]:
    """The set of a CSV manifest that `write_rows` wrote."""
    kinds = {"int": int, "float": float, "str": str}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Row(**{f.name: kinds[str(f.type)](r[f.name]) for f in fields(Row)})
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise FileError(f"{path} is no set of hdrq distill: {error}") from error
