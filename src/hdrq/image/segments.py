"""Groups of connected pixels of one category, small ones joined to the nearest larger one, and means over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

# Sum of distances within columns, in pixels for each pixel of the image, above which scipy's transform takes less time.
_FAR = 16
# pixels of the rows that are searched at a time, in the processor's cache
_PIECE = 32_768


class Groups(NamedTuple):
    """A division of an image into groups. A run is a row's pixels of one category that follow each other.

    starts  (R,) flat index of the first pixel of every run, rising
    group   (R,) group of every run
    moved   (m,) flat indices, rising, of the pixels of small groups
    joins   (m,) the groups that they join
    """

    starts: np.ndarray
    group: np.ndarray
    moved: np.ndarray
    joins: np.ndarray
    shape: tuple[int, int]

    @property
    def lengths(self) -> np.ndarray:
        """(R,) pixels of every run."""
        return np.diff(self.starts, append=self.shape[0] * self.shape[1])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """(H, W): at every pixel the value of its group, of one value for each group."""
        image: np.ndarray = np.repeat(values[self.group], self.lengths)
        image[self.moved] = values[self.joins]
        return image.reshape(self.shape)

    def means(self, image: np.ndarray) -> np.ndarray:
        """(H, W) float64: at every pixel the mean of the image over its group. As a matrix it is symmetric."""
        flat, n = image.ravel(), int(self.group.max()) + 1
        # the means of small groups are not used
        total = np.bincount(self.group, np.add.reduceat(flat, self.starts))
        total += np.bincount(self.joins, flat[self.moved], n)
        count = np.bincount(self.group, self.lengths) + np.bincount(self.joins, minlength=n)
        return self.spread(total / count)


def groups_of(category: np.ndarray, smallest: float) -> Groups:
    """Groups of connected pixels (four neighbours) of one category (H, W); those below `smallest` of all pixels join the nearest.

    Of larger groups at one distance that of the first column is joined, and then that of the first row.
    """
    h, w = category.shape
    first = np.ones((h, w), bool)
    np.not_equal(category[:, 1:], category[:, :-1], out=first[:, 1:])
    starts = np.flatnonzero(first)
    run = np.cumsum(first, dtype=np.int32)
    run -= 1
    # runs of neighbouring rows meet where either begins
    meeting = first[1:] | first[:-1]
    meeting &= category[1:] == category[:-1]
    above = np.flatnonzero(meeting)
    below = run[above + w]
    n = len(starts)
    ends = np.zeros(n + 1, np.int32)
    np.cumsum(np.bincount(run[above], minlength=n), out=ends[1:])
    _, group = connected_components(
        csr_matrix((np.ones(len(below), np.int8), below, ends), shape=(n, n)), directed=False
    )
    lengths = np.diff(starts, append=h * w)
    stays = np.bincount(group, lengths)[group] >= smallest * (h * w)
    none = np.zeros(0, np.int64)
    if stays.all() or not stays.any():
        return Groups(starts, group, none, none, (h, w))
    small = np.repeat(~stays, lengths).reshape(h, w)
    moved = np.flatnonzero(small)
    return Groups(starts, group, moved, group[run[nearest(small, moved)]], (h, w))


def nearest(excluded: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Flat index of the nearest pixel that is not excluded, for the flat indices `at`; of equally near ones as `groups_of` says.

    excluded  (H, W) bool, not all true
    """
    h, w = excluded.shape
    row = _nearest_row(excluded)
    far = np.abs(row.ravel()[at])
    if far.sum(dtype=np.float64) > _FAR * h * w:
        rows, columns = distance_transform_edt(excluded, return_distances=False, return_indices=True)
        found: np.ndarray = rows.ravel()[at] * np.int64(w) + columns.ravel()[at]
        return found
    # squared distance within the column, and the column: of equal ones the first is the least
    bits, column, height = w.bit_length(), np.empty_like(at), max(1, _PIECE // w)
    tops = np.arange(0, h, height)
    for top, a, b in zip(tops, *np.searchsorted(at, (tops * w, (tops + height) * w))):
        if a == b:
            continue
        steps = row[top : top + height].astype(np.int64)
        margin = min(int(far[a:b].max()), w)
        keys = np.full((len(steps), w + 2 * margin), (h + w) ** 2 << bits, np.int64)
        keys[:, margin : margin + w] = (steps * steps << bits) + np.arange(w)
        place = at[a:b] - top * w
        place += (2 * (place // w) + 1) * margin
        column[a:b] = _least(keys.ravel(), place, bits, margin)
    column &= (1 << bits) - 1
    found = at - at % w + column
    found += row.ravel()[found] * np.int64(w)
    return found


def _least(line: np.ndarray, place: np.ndarray, bits: int, margin: int) -> np.ndarray:
    """The least of line[place ± k] + k² 2^bits; no k is tried whose square alone is more."""
    least: np.ndarray = line[place]
    result, left = np.empty_like(least), np.arange(len(place))
    for k in range(1, margin + 1):
        beyond = k * k << bits
        going = least >= beyond
        count = np.count_nonzero(going)
        if count < 0.8 * len(going):
            result[left] = least
            place, least, left = place[going], least[going], left[going]
            if not count:
                return result
        sides = line.take(place - k, mode="clip")
        np.minimum(sides, line.take(place + k, mode="clip"), out=sides)
        sides += beyond
        np.minimum(least, sides, out=least)
    result[left] = least
    return result


def _nearest_row(excluded: np.ndarray) -> np.ndarray:
    """(H, W) int32: rows to the nearest pixel of the column that is not excluded, negative upwards, which is preferred."""
    h, w = excluded.shape
    found = np.empty((h, w), np.int32)
    last = np.full(w, h + w, np.int32)
    for y in range(h):
        last = np.multiply(last + 1, excluded[y], out=found[y])
    down = np.full(w, h + w, np.int32)
    for y in range(h - 1, -1, -1):
        down += 1
        down *= excluded[y]
        up = found[y]
        found[y] = np.where(up <= down, -up, down)
    return found
