"""Patch positions: a small table of corners, drawn from a seed on the CPU, the same on every machine.

There are two samplers. `mended`, the default, fills the image with cells and leaves no holes. `authors`
reproduces ch-andrei/VTAMIQ and HDR-IQA-dom-adapt (2024) bit for bit, including their
errors: only n of the H·W cells are used and the others are holes; positions are divided by
h - p/2 instead of h, which shifts them down and right, noticeably at coarse levels. (They also compute one more
pyramid level than they use; here no pyramid is built, see gather.)

A level is an image halved s times, without its odd last row and column; corners are in its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError

Sampler = Literal["mended", "authors"]
# positions stay below 1, so that floor(24 · position) stays below 24
_EDGE = 1 - 1e-6


@dataclass(frozen=True)
class Plan:
    """Patches to extract, finest level first.

    size     (h, w) of the image at full resolution
    patch    side of a patch, at its level
    counts   number of patches of each level, from full resolution down
    corners  (K, N, 2) float64 (row, column) in pixels of the patch's level; K is 1, or one set per image
    places   (K, N, 2) float32 centre in [0, 1) of the image, for position embeddings
    """

    size: tuple[int, int]
    patch: int
    counts: tuple[int, ...]
    corners: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def scales(self) -> np.ndarray:
        """(N,) level of every patch, 0 for full resolution."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def pixels(self) -> Tensor:
        """(K, N, 2) int64 corners on the CPU; fractions are truncated, as by the authors."""
        return torch.from_numpy(self.corners.astype(np.int64))

    def of(self, number: int) -> Plan:
        """The plan of one set only."""
        chosen = slice(number, number + 1)
        return replace(self, corners=self.corners[chosen], places=self.places[chosen])

    def part(self, start: int, stop: int) -> Plan:
        """Patches start..stop-1, so that large images can be processed in parts."""
        ends = np.cumsum([0, *self.counts]).clip(start, stop)
        counts = tuple(int(n) for n in np.diff(ends))
        return replace(
            self, counts=counts, corners=self.corners[:, start:stop], places=self.places[:, start:stop]
        )

    def parts(self, n: int) -> Iterator[Plan]:
        """Parts of at most n patches."""
        return (self.part(i, min(i + n, len(self))) for i in range(0, len(self), n))


def joined(plans: Sequence[Plan]) -> Plan:
    """Plans of equal counts as one plan with a set per image of a batch."""
    corners, places = (np.concatenate(parts) for parts in zip(*((p.corners, p.places) for p in plans)))
    return replace(plans[0], corners=corners, places=places)


def levels(size: tuple[int, int], patch: int, count: int) -> int:
    """Number of pyramid levels, of those wanted, that are large enough to be sampled."""
    side, found = float(min(size)), 0
    while side > 1:
        side, found = (side - patch) / 2, found + 1
    return max(1, min(found - 1, count))


def shares(count: int, scales: int, ratio: float = 1.75) -> tuple[int, ...]:
    """Number of patches per level, fine to coarse: each has 2^ratio times as many as the next; the sum is count."""
    weights = 2.0 ** (ratio * np.arange(scales))
    found, left = [], count
    # coarse to fine, rounded up while any are left
    for weight in weights:
        n = min(ceil(weight * count / weights.sum()), left)
        found.append(n)
        left -= n
    return tuple(reversed(found))


def plan(
    size: tuple[int, int],
    count: int,
    *,
    patch: int = 16,
    scales: int = 1,
    ratio: float = 1.75,
    seed: int = 0,
    jitter: float = 0.2,
    sets: int = 1,
    sampler: Sampler = "mended",
    weight: np.ndarray | None = None,
) -> Plan:
    """A perturbed grid of `count` patches over `scales` levels (fewer where the image is too small).

    jitter   the papers' perturbation: a patch moves by up to twice this share of its cell
    sets     1: the same positions in every image; n: separate positions for each of n images
    weight   (any h, any w) >= 0: density of patches over the image, for the mended sampler
    """
    if min(size) < patch:
        raise PixelError(f"an image of {size[1]}x{size[0]} is smaller than a patch of {patch}x{patch}")
    if count < 1:
        raise UsageError(f"{count} patches cannot be sampled; use at least 1")
    if weight is not None and sampler == "authors":
        raise UsageError("the authors' sampler has no weight map; use the mended one")
    # its sequence is the same in every version of numpy
    random = np.random.RandomState(seed)
    counts = shares(count, levels(size, patch, scales), ratio)
    corners, places = [], []
    for level, n in enumerate(counts):
        h, w = size[0] >> level, size[1] >> level
        reach = np.array([h - patch, w - patch], dtype=np.float64)
        if sampler == "authors":
            found = [_holed(random, n, h, w, jitter) * reach for _ in range(sets)]
            centres = [(c + patch // 2) / (np.array([h, w]) - patch // 2) for c in found]
        else:
            points = [_filled(random, n, h, w, jitter) for _ in range(sets)]
            points = points if weight is None else [follow(p, weight) for p in points]
            found = [np.minimum(np.floor(p * (reach + 1)), reach) for p in points]
            centres = [(c + patch / 2) / np.array([h, w]) for c in found]
        corners.append(np.stack(found))
        places.append(np.stack(centres).clip(0, _EDGE))
    table = np.concatenate(corners, 1)
    return Plan(size, patch, counts, table, np.concatenate(places, 1).astype(np.float32))


def strided(size: tuple[int, int], patch: int, stride: int) -> Plan:
    """Every multiple of the stride that fits, row by row; a remaining border is not covered."""
    if min(size) < patch:
        raise PixelError(f"an image of {size[1]}x{size[0]} is smaller than a patch of {patch}x{patch}")
    if stride < 1:
        raise UsageError(f"the stride must be at least 1, not {stride}")
    rows, columns = (np.arange(0, n - patch + 1, stride, dtype=np.float64) for n in size)
    corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(1, -1, 2)
    places = ((corners + patch / 2) / np.array(size)).clip(0, _EDGE)
    return Plan(size, patch, (corners.shape[1],), corners, places.astype(np.float32))


def _holed(random: np.random.RandomState, n: int, h: int, w: int, jitter: float) -> np.ndarray:
    """(n, 2) fractions as drawn by the authors: n of H·W cells, in the order of their draws."""
    columns = max(ceil(np.sqrt(n / (h / w))), 1)
    rows = ceil(columns * h / w)
    moved = (2 * random.random_sample((2, n)) - 1) * 2 * jitter
    cells = random.choice(rows * columns, n, replace=False)
    at, grid = np.stack([cells % rows, cells // rows]), np.array([[rows], [columns]])
    # two quotients: the last bit depends on it
    result: np.ndarray = ((at + moved) / grid + 0.5 / grid).clip(0, 1).T
    return result


def _filled(random: np.random.RandomState, n: int, h: int, w: int, jitter: float) -> np.ndarray:
    """(n, 2) points of the unit square, one in each of n cells that fill it; rows have n/R cells, or one more.

    The outermost points can reach the edge, so that borders are sampled as often as the rest.
    """
    if n == 0:
        return np.empty((0, 2))
    rows = min(max(round(np.sqrt(n * h / w)), 1), n)
    held = np.diff(np.floor(np.arange(rows + 1) * (n / rows) + random.random_sample()).astype(int))
    held[-1] += n - held.sum()
    row = np.repeat(np.arange(rows), held)
    column = np.arange(n) - np.repeat(np.cumsum(held) - held, held)
    cells = np.stack([np.full(n, rows), held[row]], -1)
    moved = (2 * random.random_sample((n, 2)) - 1) * 2 * jitter
    return (np.stack([row, column], -1) + 2 * jitter + moved) / (cells - 1 + 4 * jitter)


def follow(points: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Points of the unit square moved so that their density follows a map; a uniform density stays uniform within it.

    Rows move along the map's row sums, then columns along their row (inverse of the cumulative sum).
    """
    if weight.ndim != 2 or not np.isfinite(weight).all() or weight.min() < 0 or weight.max() == 0:
        raise UsageError("a weight map must be one finite, non-negative image that is not all zero")
    down = _inverse(points[:, 0], weight.sum(1, dtype=np.float64))
    lines = weight[np.minimum((down * weight.shape[0]).astype(int), weight.shape[0] - 1)]
    return np.stack([down, np.array([_inverse(x, line) for x, line in zip(points[:, 1], lines)])], -1)


def _inverse(x: np.ndarray | float, density: np.ndarray) -> np.ndarray:
    """Where the cumulative sum of a density over [0, 1] reaches x."""
    total = np.concatenate([[0.0], np.cumsum(density, dtype=np.float64)])
    result: np.ndarray = np.interp(np.asarray(x) * total[-1], total, np.linspace(0, 1, len(total)))
    return result
