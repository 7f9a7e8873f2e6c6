"""A training set as a table: each row says how an image pair is rendered, so that a set is small and reproducible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import count, islice
from math import exp, log

import numpy as np

from hdrq.distillation.captures import check_capture
from hdrq.distillation.distortion import MOST
from hdrq.distillation.rows import Row, Rows
from hdrq.distillation.sources import Source
from hdrq.errors import UnknownName, UsageError
from hdrq.registry import names
from hdrq.tonemapping.networks import OperatorKind, operator_named

# in place of a distortion: the image as it is
NONE = "none"
SHELVES = ("distortion", "tonemapper", "expander")
OPERATORS: dict[str, OperatorKind] = {"tonemap": "tonemapper", "expand": "expander"}
CAPTURES = ("merge", "fuse", "capture")
# cd/m², range of the peak luminance, log-uniformly distributed
PEAKS = {
    "light": (300.0, 8000.0),
    "sdr": (80.0, 250.0),
    "sdr-100": (100.0, 100.0),
    "bright": (500.0, 5000.0),
}
# share of rows without distortion
_CLEAN = 0.04
# lowest level of a distorted row
_MILD = 0.2
# smallest side of a crop, pixels
LEAST = 32


def shelf_of(distortion: str) -> str:
    """The kind of entry that the distortion is; "distortion" for none, "capture" for merge:NAME, fuse:NAME and capture:NAME.

    Raises UnknownName where there is none. NAME is not looked at: see `refuse_unknown`.
    """
    if distortion == NONE:
        return SHELVES[0]
    kind, colon, _ = distortion.partition(":")
    if kind in OPERATORS and colon:
        return OPERATORS[kind]
    if kind in CAPTURES and colon:
        return "capture"
    for shelf in SHELVES:
        if distortion in names(shelf):
            return shelf
    raise UnknownName(f"there is no distortion '{distortion}'; see: hdrq list distortions")


def refuse_unknown(distortions: Sequence[str]) -> None:
    """Raise UnknownName for a distortion that does not exist, and MissingPart where the weights of a network are missing."""
    for distortion in distortions:
        shelf_of(distortion)
        kind, colon, name = distortion.partition(":")
        if kind in OPERATORS and colon:
            operator_named(OPERATORS[kind], name)
        elif kind in CAPTURES and colon:
            check_capture(kind, name)


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
) -> Rows:
    """n rows. Row i does not depend on n, so that a set can be extended and keep its scores.

    displays  displays that show code; light is used without a display
    each      distortions per crop, so that a student learns the distortion rather than the content
    reads     how the files are read
    side      height of the crops, 0 for whole images;  wide  their width, 0 for squares
    central   whether they are cut from the middle, at the resolution of the file

    Undistorted images, whole or cut from the middle, are each taken once: the set has at most as many rows as there are images.
    """
    size = (side, wide or side)
    refuse_unknown(distortions)
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
    views = _Views(fit, distortions, seed, size, displays, each, central)
    rows = (replace(r, reads=reads) if reads else r for view in count() for r in views(view))
    return Rows(islice(rows, n))


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


class _Views:
    """Crops, each with `each` distortions."""

    def __init__(
        self,
        sources: Sequence[Source],
        distortions: Sequence[str],
        seed: int,
        size: tuple[int, int],
        displays: Sequence[str],
        each: int,
        central: bool,
    ) -> None:
        # as many crops of light as of code, regardless of the number of files
        kinds = ([s for s in sources if s.light], [s for s in sources if not s.light])
        self.kinds = [k for k in kinds if k]
        self.distortions, self.displays = list(distortions), list(displays)
        self.seed, self.size, self.each, self.central = seed, size, each, central

        @lru_cache(2)
        def order(kind: int, turn: int) -> list[int]:
            """Every file of a kind once, in another order each turn."""
            found = np.random.default_rng([seed, 0, kind, turn]).permutation(len(self.kinds[kind]))
            return [int(i) for i in found]

        self.order: Callable[[int, int], list[int]] = order

    def __call__(self, view: int) -> Iterator[Row]:
        kind = view % len(self.kinds)
        own = self.kinds[kind]
        turn, place = divmod(view // len(self.kinds), len(own))
        source = own[self.order(kind, turn)[place]]
        rng = np.random.default_rng([self.seed, 1, view])
        h, w = source.size
        side, wide = self.size if self.size[0] else (h, w)
        shrink = int(rng.choice([f for f in (1, 2, 4) if fits((h, w), (side * f, wide * f))]))
        y, x = (int(rng.integers(0, n - s * shrink + 1)) for n, s in ((h, side), (w, wide)))
        if self.central:
            y, x, shrink = (h - side) // 2, (w - wide) // 2, 1
        display = "light" if source.light else str(rng.choice(self.displays))
        low, high = PEAKS[display]
        peak = float(f"{exp(rng.uniform(log(low), log(high))):.4g}")
        first, path = view * self.each, str(source.path)
        for k, name in enumerate(rng.permutation(self.distortions)[: self.each]):
            level = 0.0 if rng.random() < _CLEAN else round(float(rng.uniform(_MILD, MOST)), 3)
            level = 0.0 if name == NONE else level
            chance = int(rng.integers(2**31))
            yield Row(
                first + k,
                path,
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
