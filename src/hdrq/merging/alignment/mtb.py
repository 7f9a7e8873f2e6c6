"""Translations between exposures from median threshold bitmaps, which are nearly independent of exposure.

Source: Ward, J. Graphics Tools 8(2), 2003, doi:10.1080/10867651.2003.10487583. Departures, each because the
published form fails in a known case: both frames use a common percentile as threshold, chosen so that neither
threshold is near black or clipping (the median of a dark frame is 0, its bitmap empty); errors are shares of the
pixels used; and a shift is accepted only if it is clearly better than no shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hdrq.image.arithmetic import histogram, sums_of_four

# codes of 256 around the threshold that are excluded
TOLERANCE = 4
# smallest distance of the threshold from black and white, codes: twice the tolerance plus one
ROOM = 9
# of the error of two unrelated bitmaps: above this, no shift is accepted
CHANCE = 0.8
# of the error without shift: a shift must have less
GAIN = 0.9


@dataclass(frozen=True)
class Shift:
    """Translation between neighbours: pixel (y, x) of `fixed` corresponds to (y + dy, x + dx) of `moving`.

    error   share of the used pixels whose bitmaps differ at this shift;  still: without shift
    why     empty when the shift was accepted, else the reason for (0, 0)
    """

    dy: int
    dx: int
    error: float = 0.0
    still: float = 0.0
    why: str = ""


def grey(codes: np.ndarray) -> np.ndarray:
    """(C, H, W) 8-bit codes to (H, W) uint8, (54 R + 183 G + 19 B) / 256."""
    result: np.ndarray = codes[0]
    if len(codes) > 1:
        wide = codes.astype(np.uint16)
        result = ((54 * wide[0] + 183 * wide[1] + 19 * wide[2]) >> 8).astype(np.uint8)
    return result


@dataclass(frozen=True)
class Pyramid:
    """A grey frame (H, W) uint8 and its halves, with their cumulated histograms: made once for both its neighbours."""

    images: tuple[np.ndarray, ...]
    totals: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, image: np.ndarray) -> Pyramid:
        images = [image]
        while min(images[-1].shape) >= 64 and len(images) < 12:
            images.append(halve(images[-1]))
        return cls(tuple(images), tuple(histogram(i).cumsum() for i in images))

    def bitmap(self, level: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        """(above the threshold at a percentile, far enough from it to be used), two boolean images."""
        return bitmap(self.images[level], self.cut(level, share))

    def cut(self, level: int, share: float) -> int:
        """The code at a percentile 0..1."""
        return int(_quantiles(self.totals[level], np.array([share]))[0])


def common_cut(a: Pyramid, b: Pyramid) -> tuple[float, int]:
    """(percentile 0..1, distance): the percentile with thresholds farthest from black and white in both frames."""
    shares = np.linspace(0.02, 0.98, 97)
    cuts = np.stack([_quantiles(frame.totals[0], shares) for frame in (a, b)])
    margin = np.minimum(cuts, 255 - cuts).min(0)
    best = np.flatnonzero(margin == margin.max())
    pick = best[np.abs(shares[best] - 0.5).argmin()]
    return float(shares[pick]), int(margin[pick])


def _quantiles(total: np.ndarray, shares: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.searchsorted(total, shares * total[-1])
    return result


def halve(image: np.ndarray) -> np.ndarray:
    """Mean of 2x2 pixels, uint8; an odd last row or column is dropped."""
    return ((sums_of_four(image) + 2) >> 2).astype(np.uint8)


def bitmap(image: np.ndarray, cut: int) -> tuple[np.ndarray, np.ndarray]:
    """(above the threshold, far enough from it to be used), two boolean images."""
    return image > cut, (image > cut + TOLERANCE) | (image < cut - TOLERANCE)


def _overlap(n: int, d: int) -> tuple[slice, slice]:
    """Overlap of fixed and moving along a side of n pixels for a shift of d pixels."""
    return slice(max(0, -d), n - max(0, d)), slice(max(0, d), n + min(0, d))


def difference(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], dy: int, dx: int) -> float:
    """Share of used pixels that differ; 1 where almost none can be used."""
    (fy, my), (fx, mx) = _overlap(a[0].shape[0], dy), _overlap(a[0].shape[1], dx)
    used = a[1][fy, fx] & b[1][my, mx]
    count = np.count_nonzero(used)
    if count < 0.02 * a[0].size:
        return 1.0
    return np.count_nonzero(used & (a[0][fy, fx] ^ b[0][my, mx])) / count


def mtb_shift(fixed: Pyramid, moving: Pyramid, reach: int | None = None) -> Shift:
    """The translation between two frames of equal size.

    reach  largest shift searched, pixels; None is an eighth of the shorter side, at least 64
    """
    share, margin = common_cut(fixed, moving)
    if margin < ROOM:
        return Shift(0, 0, why="too dark or too clipped to find a shift")
    reach = max(64, min(fixed.images[0].shape) // 8) if reach is None else reach
    coarsest = len(fixed.images) - 1
    dy = dx = 0
    for level in range(coarsest, -1, -1):
        a, b = fixed.bitmap(level, share), moving.bitmap(level, share)
        step = -(-reach // 2**level) if level == coarsest else 1
        step = min(step, min(a[0].shape) // 3)
        around = [(2 * dy + y, 2 * dx + x) for y in range(-step, step + 1) for x in range(-step, step + 1)]
        around = [s for s in around if max(abs(s[0]), abs(s[1])) <= -(-reach // 2**level)]
        around.sort(key=lambda s: (s[0] ** 2 + s[1] ** 2, s))
        errors = [difference(a, b, *s) for s in around]
        # the first of equals is the smallest shift
        dy, dx = around[int(np.argmin(errors))]
        error = min(errors)
    still = difference(a, b, 0, 0)
    chance = _chance(a, b)
    if error > CHANCE * chance:
        return Shift(0, 0, still, still, "the frames do not match at any shift")
    if (dy, dx) != (0, 0) and error > GAIN * still:
        return Shift(0, 0, still, still, f"shift ({dy}, {dx}) is not clearly better than no shift")
    return Shift(dy, dx, error, still)


def _chance(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Expected difference of two unrelated bitmaps with these shares of ones."""
    p, q = (float(image[used].mean()) if used.any() else 0.0 for image, used in (a, b))
    return p * (1 - q) + q * (1 - p)
