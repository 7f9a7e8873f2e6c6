"""A training set as a table: each row says how an image pair is rendered, so that a set is small and reproducible."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from math import exp, log
from pathlib import Path

import numpy as np

from hdrq.distillation.distortion import MOST
from hdrq.distillation.sources import Source
from hdrq.errors import FileError, UnknownName, UsageError
from hdrq.io import atomic
from hdrq.registry import names

NONE = "none"  # in place of a distortion: the image as it is
SHELVES = ("distortion", "tonemapper", "expander")
# cd/m², range of the peak luminance, log-uniformly distributed
PEAKS = {
    "light": (300.0, 8000.0),
    "sdr": (80.0, 250.0),
    "sdr-100": (100.0, 100.0),
    "bright": (500.0, 5000.0),
}
_CLEAN = 0.04  # share of rows without distortion
_MILD = 0.2  # lowest level of a distorted row
LEAST = 32  # smallest side of a crop, pixels


@dataclass(frozen=True, slots=True)
class Row:
    """One image pair.

    source      file;  scene  is in one part of a split only
    y, x        corner of the crop;  side  height of the result, pixels;  shrink  downsampling factor from the crop to the result
    display     "light" (HDR), or code shown on a display: "sdr", "sdr-100" or "bright";  peak  cd/m², see PEAKS
    distortion  name of an entry of one of SHELVES, or "none";  level  0..5;  seed  of its random numbers
    reads       how the file is read, where the user states it, as `hdrq.encoding.reading.Reading.text`
    wide        width of the result, where it is not `side`
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
    reads: str = field(default="", repr=False)
    wide: int = field(default=0, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return self.side, self.wide or self.side

    @property
    def view(self) -> tuple[object, ...]:
        """Everything that the reference depends on besides the content of the file."""
        said: tuple[object, ...] = (self.reads,) if self.reads else ()
        said = (*said, "wide", self.wide) if self.wide else said
        return (self.y, self.x, self.side, self.shrink, self.display, self.peak, *said)


def shelf_of(distortion: str) -> str:
    """The kind of entry that the distortion is; "distortion" for none."""
    if distortion == NONE:
        return SHELVES[0]
    for shelf in SHELVES:
        if distortion in names(shelf):
            return shelf
    raise UnknownName(f"there is no distortion '{distortion}'; see: hdrq list distortions")


def make_set(
    sources: Sequence[Source],
    distortions: Sequence[str],
    n: int,
    *,
    seed: int = 0,
    side: int = 256,
    displays: Sequence[str] = ("sdr", "bright"),
    each: int = 6,
    reads: str = "",
    wide: int = 0,
    central: bool = False,
) -> list[Row]:
    """n rows. Row i does not depend on n, so that a set can be extended and keep its scores.

    displays  displays that show code; light is used without a display
    each      distortions per crop, so that a student learns the distortion rather than the content
    reads     how the files are read
    side      height of the crops, 0 for whole images;  wide  their width, 0 for squares
    central   whether they are cut from the middle, at the resolution of the file

    Undistorted images, whole or cut from the middle, are each taken once: the set has at most as many rows as there are images.
    """
    size = (side, wide or side)
    for name in distortions:
        shelf_of(name)
    if unknown := [d for d in displays if d not in PEAKS]:
        raise UsageError(f"there is no training display '{unknown[0]}'; use some of {', '.join(PEAKS)}")
    fit = [s for s in sources if fits(s.size, size) and (s.light or displays)]
    if not distortions:
        raise UsageError("name at least one distortion with --distortions; see: hdrq list distortions")
    if not fit:
        least = f"{side} pixels a side" if size[0] == size[1] else f"{size[1]}x{size[0]} pixels"
        raise UsageError(f"no image is at least {least}; use a smaller --crop, or other --images")
    if set(distortions) == {NONE} and (central or not side):
        n = min(n, len(fit))
    each = min(each, len(distortions))
    rows: list[Row] = []
    while len(rows) < n:
        view = len(rows) // each
        rows += _view(fit, distortions, view, seed, size, displays, each, len(rows), central)
    return [replace(r, reads=reads) for r in rows[:n]]


def fits(image: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether an image is at least as high and as wide as a crop."""
    return image[0] >= size[0] and image[1] >= size[1]


def frame_of(crop: int | str) -> tuple[int, int]:
    """(height, width) of a crop given as N, WxH or "whole", which is (0, 0)."""
    text = str(crop).strip().lower()
    if text == "whole":
        return 0, 0
    w, by, h = text.partition("x")
    h = h if by else w
    if not (w.isdigit() and h.isdigit()):
        raise UsageError(f"crop is a number of pixels, WxH such as 1024x768, or whole, not '{crop}'")
    if min(int(h), int(w)) < LEAST:
        raise UsageError(f"crop must be at least {LEAST}, not {crop}")
    return int(h), int(w)


def _view(
    sources: Sequence[Source],
    distortions: Sequence[str],
    view: int,
    seed: int,
    size: tuple[int, int],
    displays: Sequence[str],
    each: int,
    first: int,
    central: bool,
) -> list[Row]:
    """One crop with `each` distortions."""
    kinds = [k for k in ([s for s in sources if s.light], [s for s in sources if not s.light]) if k]
    own = kinds[view % len(kinds)]  # as many crops of light as of code, regardless of the number of files
    turn, place = divmod(view // len(kinds), len(own))
    source = own[np.random.default_rng([seed, 0, view % len(kinds), turn]).permutation(len(own))[place]]
    rng = np.random.default_rng([seed, 1, view])
    h, w = source.size
    side, wide = size if size[0] else (h, w)
    shrink = int(rng.choice([f for f in (1, 2, 4) if fits((h, w), (side * f, wide * f))]))
    y, x = (int(rng.integers(0, n - s * shrink + 1)) for n, s in ((h, side), (w, wide)))
    if central:
        y, x, shrink = (h - side) // 2, (w - wide) // 2, 1
    display = "light" if source.light else str(rng.choice(list(displays)))
    low, high = PEAKS[display]
    peak = float(f"{exp(rng.uniform(log(low), log(high))):.4g}")
    rows = []
    for k, name in enumerate(rng.permutation(list(distortions))[:each]):
        level = 0.0 if rng.random() < _CLEAN else round(float(rng.uniform(_MILD, MOST)), 3)
        level = 0.0 if name == NONE else level
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
                wide=0 if wide == side else wide,
            )
        )
    return rows


def write_rows(rows: Sequence[Row], path: Path) -> Path:
    """The set as a CSV manifest."""
    with atomic(path) as part, part.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(r) for r in rows)
    return path


def read_rows(path: Path) -> list[Row]:
    """The set in a CSV manifest written by `write_rows`."""
    kinds = {"int": int, "float": float, "str": str}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Row(
                    **{
                        f.name: kinds[str(f.type)](r[f.name])
                        for f in fields(Row)
                        if f.name in r or f.default is MISSING
                    }
                )
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise FileError(f"{path} is not a set of hdrq distill: {error}") from error
