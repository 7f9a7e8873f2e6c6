"""Rank and linear correlation of two samples, and of many weighted copies of them at once; and tests of the difference between
two metrics' correlations with the same subjective scores.

The two correlations share the subjective scores and are therefore dependent; the tests use the correlation between
the two metrics. They assume independent images, which images of one scene are not: where there are
scenes, the bootstrap over scenes is more reliable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr

Array = NDArray[np.float64]


def srocc(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, with mean ranks for ties; NaN where either is constant."""
    return plcc(ranks(x), ranks(y)) if not (constant(x) or constant(y)) else float("nan")


def ranks(values: ArrayLike) -> Array:
    """Ranks from 1, with mean ranks for ties."""
    _, place, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def untied(values: ArrayLike) -> Array:
    """For each row, the number of rows with a different value."""
    _, place, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (place.size - count[place]).astype(np.float64)


def krocc(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b; NaN where either is constant."""
    if constant(x) or constant(y):
        return float("nan")
    return float(agreements(x, y).sum() / np.sqrt(untied(x).sum() * untied(y).sum()))


def plcc(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's linear correlation; NaN where either is constant."""
    a, b = (np.asarray(v, dtype=np.float64) for v in (x, y))
    if constant(a) or constant(b):
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt(inner(a, a) * inner(b, b))
    return float(np.clip(inner(a, b) / norm, -1, 1)) if norm > 0 else float("nan")


def constant(values: ArrayLike) -> bool:
    """Whether all values are equal up to rounding."""
    values = np.asarray(values, dtype=np.float64)
    spread = np.ptp(values) if values.size else 0.0
    return bool(spread <= 64 * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0))


def inner(a: Array, b: Array) -> float:
    """Sum of products."""
    return float(np.einsum("n,n->", a, b))


def rmse(x: ArrayLike, y: ArrayLike) -> float:
    """Root mean squared difference."""
    return float(np.sqrt(np.mean((np.asarray(x, dtype=np.float64) - np.asarray(y)) ** 2)))


class Ranking:
    """Sorted values, so that ranks under any weights of scenes need one pass and no sorting.

    A weight of 2 means that a row occurs twice. Ties get their mean rank.
    """

    def __init__(self, values: ArrayLike, scene: NDArray[np.intp]) -> None:
        v = np.asarray(values, dtype=np.float64)
        self.order = np.argsort(v, kind="stable")
        self.place = np.empty_like(self.order)
        self.place[self.order] = np.arange(v.size)
        self.scene = scene[self.order]
        ordered = v[self.order]
        first = np.r_[True, ordered[1:] != ordered[:-1]]
        # for every row, in order: the group of equal values
        self.run = np.cumsum(first) - 1
        # last row of each group
        self.last = np.r_[np.flatnonzero(first)[1:], v.size] - 1
        self.tied = self.last.size < v.size

    def ranked(self, times: Array) -> tuple[Array, Array, Array]:
        """For multiplicities (D, S) of scenes, in order of value: weights (D, n), ranks minus their mean (D, n), and
        the number of ordered pairs of copies that differ in value (D,)."""
        w = np.take(times, self.scene, axis=1)
        ranks = np.cumsum(w, axis=1)
        if self.tied:
            ranks = np.take(ranks, self.last, axis=1)
        shared = np.diff(ranks, axis=1, prepend=0.0) if self.tied else w
        total = ranks[:, -1:].copy()
        differ = total[:, 0] ** 2 - _dot(shared, shared)
        ranks -= 0.5 * shared
        ranks -= total / 2
        return w, np.take(ranks, self.run, axis=1) if self.tied else ranks, differ


def rank_correlations(xs: list[Ranking], y: Ranking, times: Array) -> tuple[Array, Array, Array]:
    """Spearman's correlation (D, M) of M rankings with one, for multiplicities (D, S) of scenes.

    Also, for Kendall's tau, the number of ordered pairs of copies that differ in x (D, M) and in y (D,).
    """
    wy, ry, differ = y.ranked(times)
    wy *= ry
    spread = _dot(wy, ry)
    out, differing = [], []
    for x in xs:
        wx, rx, differs = x.ranked(times)
        differing.append(differs)
        wx *= rx
        with np.errstate(invalid="ignore", divide="ignore"):
            there = np.take(ry, y.place[x.order], axis=1)
            out.append(_dot(wx, there) / np.sqrt(_dot(wx, rx) * spread))
    return np.stack(out, 1), np.stack(differing, 1), differ


def _dot(a: Array, b: Array) -> Array:
    """Row-wise products (D,). Not by BLAS, whose threads take longer to synchronise than such a sum takes."""
    result: Array = np.einsum("dn,dn->d", a, b)
    return result


def agreements(x: ArrayLike, y: ArrayLike) -> NDArray[np.int64]:
    """For each row i, the sum over all j of sign(x_i - x_j) sign(y_i - y_j): concordant minus discordant pairs.

    O(n √n): rows sorted by x are processed in blocks; within a block all pairs are compared, pairs with earlier blocks
    come from a running count of the ranks of y.
    """
    x, y = np.asarray(x), np.asarray(y)
    n = x.size
    order = np.lexsort((y, x))
    xs = x[order]
    rank = np.unique(y, return_inverse=True)[1][order]
    kinds = int(rank.max()) + 1
    # over rows j earlier in the order: sign(y_i - y_j)
    before = np.zeros(n, dtype=np.int64)
    seen = np.zeros(kinds, dtype=np.int64)
    size = max(64, int(np.sqrt(n)))
    earlier = np.tril(np.ones((size, size), dtype=bool), -1)
    for at in range(0, n, size):
        r = rank[at : at + size]
        upto = np.cumsum(seen)
        before[at : at + size] = upto[r] - seen[r] - (at - upto[r])
        sign = np.sign(r[:, None] - r[None, :])
        before[at : at + size] += (sign * earlier[: r.size, : r.size]).sum(1)
        seen += np.bincount(r, minlength=kinds)
    below = np.cumsum(seen) - seen
    # over all j: sign(y_i - y_j)
    overall = below[rank] - (n - below[rank] - seen[rank])
    # rows of equal x are adjacent, sorted by y
    run = np.r_[True, xs[1:] != xs[:-1]]
    start = np.flatnonzero(run)[np.cumsum(run) - 1]
    both = np.r_[True, (xs[1:] != xs[:-1]) | (rank[1:] != rank[:-1])]
    # of equal x, with a smaller y
    lower = np.flatnonzero(both)[np.cumsum(both) - 1] - start
    size_of = np.bincount(np.cumsum(run) - 1)[np.cumsum(run) - 1]
    alike = np.bincount(np.cumsum(both) - 1)[np.cumsum(both) - 1]
    # over j of equal x: sign(y_i - y_j)
    tied = lower - (size_of - lower - alike)
    out = np.empty(n, dtype=np.int64)
    out[order] = 2 * (before - lower) - overall + tied
    return out


def williams(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Williams' t for two correlations with the same variable, and its two-sided p (n - 3 degrees of freedom).

    r1, r2  of metric 1 and metric 2 with the subjective scores; r12 between the metrics
    Source  Williams 1959; Steiger 1980, doi:10.1037/0033-2909.87.2.245, equation 7
    """
    # one of the metrics is constant
    if math.isnan(r1 + r2 + r12):
        return math.nan, math.nan
    if n < 4 or r1 == r2:
        return 0.0, 1.0
    det = 1 - r1 * r1 - r2 * r2 - r12 * r12 + 2 * r1 * r2 * r12
    mean = (r1 + r2) / 2
    below = 2 * (n - 1) / (n - 3) * max(det, 0.0) + mean * mean * (1 - r12) ** 3
    if below <= 0:
        return math.copysign(math.inf, r1 - r2), 0.0
    t = (r1 - r2) * math.sqrt((n - 1) * (1 + r12) / below)
    return t, float(2 * stdtr(n - 3, -abs(t)))


def steiger(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Steiger's Z on Fisher's scale with the pooled correlation, and its two-sided p.

    Source  Steiger 1980, doi:10.1037/0033-2909.87.2.245, equation 14
    """
    # one of the metrics is constant
    if math.isnan(r1 + r2 + r12):
        return math.nan, math.nan
    if n < 4 or r1 == r2:
        return 0.0, 1.0
    if max(abs(r1), abs(r2)) >= 1:
        return math.copysign(math.inf, r1 - r2), 0.0
    mean = (r1 + r2) / 2
    squares = mean * mean
    shared = (r12 * (1 - 2 * squares) - squares * (1 - 2 * squares - r12 * r12) / 2) / (1 - squares) ** 2
    if shared >= 1:
        return 0.0, 1.0
    z = (math.atanh(r1) - math.atanh(r2)) * math.sqrt((n - 3) / (2 - 2 * shared))
    return z, float(2 * ndtr(-abs(z)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p values that can be compared with one level for any number of tests.

    A test without a result (NaN) stays NaN and does not count.
    """
    order = sorted((i for i in range(len(p)) if not math.isnan(p[i])), key=lambda i: p[i])
    out, highest = [math.nan] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p[i]))
        out[i] = highest
    return out
