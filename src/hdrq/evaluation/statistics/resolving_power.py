"""Resolving power: how well a metric detects differences between images and tells which image is better.

Every pair of images gives two classification problems: whether observers saw a difference, predicted by the magnitude
of the metric's difference; and, where they did, which image is better, predicted by its sign. Both are measured by the
area under the ROC curve, which needs no fitted curve.

The published tests assume independent pairs, although pairs share images, and therefore find small differences
significant. `bootstrap_areas` uses a bootstrap over scenes; its intervals are the more reliable ones.

Source  Krasula, Fliegel, Le Callet & Klima, QoMEX 2016, doi:10.1109/QoMEX.2016.7498936
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from hdrq.evaluation.statistics.correlation import krocc, ranks

Array = NDArray[np.float64]
# probability above which observers are taken to have seen a difference
SURE = 0.95
MOST_PAIRS = 200_000


@dataclass(frozen=True)
class Power:
    """Resolving power of one metric.

    different  area under the ROC curve of "different or similar"; 0.5 is chance
    better     of "better or worse", among different pairs
    correct    share of different pairs with the right sign
    scores     the metric's difference for each pair, by problem, kept for comparisons of metrics
    """

    different: float
    better: float
    correct: float
    pairs: int
    differing: int
    scores: tuple[Array, Array]


@dataclass(frozen=True)
class ImagePairs:
    """Pairs of images, whether observers saw a difference in each, and its sign."""

    first: NDArray[Any]
    second: NDArray[Any]
    visible: NDArray[Any]
    sign: Array
    sampled: bool


def image_pairs(mos: ArrayLike, errors: ArrayLike, *, most: int = MOST_PAIRS, seed: int = 0) -> ImagePairs:
    """All pairs of images, or a random sample of `most` by the seed.

    mos  (n,) subjective scores with the sign that makes higher better
    errors    (n,) standard errors of the means; a difference is visible where the probability of z exceeds 0.95
    """
    y, e = (np.asarray(v, dtype=np.float64) for v in (mos, errors))
    n = y.size
    sampled = n * (n - 1) // 2 > most
    if sampled:
        rng = np.random.default_rng(seed)
        i = rng.integers(0, n, most)
        j = (i + rng.integers(1, n, most)) % n
    else:
        i, j = np.triu_indices(n, 1)
    difference = y[i] - y[j]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(difference) / np.sqrt(e[i] ** 2 + e[j] ** 2)
    visible = (ndtr(np.nan_to_num(z, nan=0.0, posinf=np.inf)) > SURE) & (difference != 0)
    return ImagePairs(i, j, visible, np.sign(difference), sampled)


def power(values: ArrayLike, image_pairs: ImagePairs) -> Power:
    """Resolving power of a metric whose values have the sign that makes higher better."""
    x = np.asarray(values, dtype=np.float64)
    d = x[image_pairs.first] - x[image_pairs.second]
    size = np.abs(d)
    # positive where the better image scores higher
    toward = d[image_pairs.visible] * image_pairs.sign[image_pairs.visible]
    different = auc(size[image_pairs.visible], size[~image_pairs.visible])
    # each pair is used in both orders
    better = auc(toward, -toward)
    correct = float((toward > 0).mean()) if toward.size else float("nan")
    return Power(different, better, correct, d.size, int(image_pairs.visible.sum()), (size, toward))


def auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties counting half; NaN where one class is empty."""
    p, q = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    if not p.size or not q.size:
        return float("nan")
    ranked = ranks(np.concatenate((p, q)))
    return float((ranked[: p.size].sum() - p.size * (p.size + 1) / 2) / (p.size * q.size))


def bootstrap_areas(
    powers: Sequence[Power], image_pairs: ImagePairs, scene: NDArray[np.intp], times: Array
) -> Mapping[str, Array]:
    """{"different", "better", "correct"}: (draws, M) of M metrics for multiplicities (draws, S) of scenes."""
    visible = image_pairs.visible
    areas = {
        "different": [_Area(p.scores[0][visible], p.scores[0][~visible]) for p in powers],
        "better": [_Area(p.scores[1], -p.scores[1]) for p in powers],
    }
    out: dict[str, list[list[float]]] = {"different": [], "better": [], "correct": []}
    for came in times:
        w = came[scene[image_pairs.first]] * came[scene[image_pairs.second]]
        both, alone = w[visible], w[~visible]
        out["different"].append([a(both, alone) for a in areas["different"]])
        out["better"].append([a(both, both) for a in areas["better"]])
        total = both.sum()
        right = [float(both[p.scores[1] > 0].sum() / total) if total else float("nan") for p in powers]
        out["correct"].append(right)
    return {name: np.array(rows) for name, rows in out.items()}


class _Area:
    """Area under the curve of fixed scores for any weights."""

    def __init__(self, positive: Array, negative: Array) -> None:
        together = np.concatenate((positive, negative))
        self.order = np.argsort(together, kind="stable")
        ordered = together[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: ordered.size])
        self.positive = self.order < positive.size

    def __call__(self, positive: Array, negative: Array) -> float:
        w = np.concatenate((positive, negative))[self.order]
        if not positive.sum() or not negative.sum():
            return float("nan")
        above = np.add.reduceat(np.where(self.positive, w, 0.0), self.starts)
        below = np.add.reduceat(np.where(self.positive, 0.0, w), self.starts)
        return float(above @ (np.cumsum(below) - below / 2) / (above.sum() * below.sum()))


def delong(a: tuple[Array, Array], b: tuple[Array, Array]) -> float:
    """Two-sided p that two classifiers of the same cases have the same area; (positive, negative) scores of each.

    Source  DeLong et al. 1988, doi:10.2307/2531595, with placements by rank (Sun & Xu 2014)
    """
    placed = [_placements(*scores) for scores in (a, b)]
    m, n = len(a[0]), len(a[1])
    if min(m, n) < 2:
        return 1.0
    gap = placed[0][0].mean() - placed[1][0].mean()
    rows, columns = placed[0][0] - placed[1][0], placed[0][1] - placed[1][1]
    variance = rows.var(ddof=1) / m + columns.var(ddof=1) / n
    return float(2 * ndtr(-abs(gap) / np.sqrt(variance))) if variance > 0 else float(gap == 0)


def _placements(positive: Array, negative: Array) -> tuple[Array, Array]:
    """For each positive the share of negatives below it; for each negative the share of positives above it."""
    m, n = len(positive), len(negative)
    together = ranks(np.concatenate((positive, negative)))
    above = (together[:m] - ranks(positive)) / n
    below = 1 - (together[m:] - ranks(negative)) / m
    return above, below


def hanley_mcneil(a: tuple[Array, Array], b: tuple[Array, Array]) -> float:
    """Two-sided p of the critical ratio of two areas, with their dependence from Kendall's tau of the scores.

    Source  Hanley & McNeil 1983, doi:10.1148/radiology.148.3.6878708. Their table of the correlation of areas is
    replaced by the mean of both taus, which approximates it for areas below 0.9.
    """
    areas = [auc(*scores) for scores in (a, b)]
    errors = [_area_error(area, len(a[0]), len(a[1])) for area in areas]
    taus = [krocc(a[side], b[side]) for side in (0, 1)]
    shared = float(np.nan_to_num(np.mean(taus)))
    variance = errors[0] ** 2 + errors[1] ** 2 - 2 * shared * errors[0] * errors[1]
    return float(2 * ndtr(-abs(areas[0] - areas[1]) / np.sqrt(variance))) if variance > 0 else 1.0


def _area_error(area: float, m: int, n: int) -> float:
    """Standard error of an area under the curve (Hanley & McNeil 1982)."""
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    return float(np.sqrt((area * (1 - area) + (m - 1) * (q1 - area**2) + (n - 1) * (q2 - area**2)) / (m * n)))


def fisher(correct_a: float, correct_b: float, differing: int) -> float:
    """Two-sided p of Fisher's exact test on two shares of correctly classified pairs."""
    right = [round(c * differing) for c in (correct_a, correct_b)]
    # slow to import and rarely needed
    from scipy.stats import fisher_exact

    return float(fisher_exact([[r, differing - r] for r in right]).pvalue)


def compare(a: Power, b: Power, image_pairs: ImagePairs) -> dict[str, float]:
    """p values of equal resolving power of two metrics: {"different", "better", "correct"}."""
    visible = image_pairs.visible
    split = [(p.scores[0][visible], p.scores[0][~visible]) for p in (a, b)]
    # every pair once, half of them in reverse order
    ways = [(p.scores[1][::2], -p.scores[1][1::2]) for p in (a, b)]
    return {
        "different": delong(split[0], split[1]) if min(map(len, split[0])) else 1.0,
        "better": delong(ways[0], ways[1]) if len(ways[0][0]) else 1.0,
        "correct": fisher(a.correct, b.correct, a.differing) if a.differing else 1.0,
    }


def pairwise_accuracy(preferred: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[float, float]:
    """How often a metric agrees with pairwise preferences.

    preferred  (n,) share of observers for A; a, b: metric values of both images, with the sign that makes higher better
    returns    (share of pairs with a majority for which the metric agrees with it, ties counting half;
               mean share of observers that the metric agrees with)
    """
    p, d = np.asarray(preferred, dtype=np.float64), np.asarray(a, dtype=np.float64) - np.asarray(b)
    sided = np.where(d > 0, 1.0, np.where(d < 0, 0.0, 0.5))
    agreement = float(np.mean(sided * p + (1 - sided) * (1 - p))) if p.size else float("nan")
    decided = p != 0.5
    agree = np.where(p > 0.5, sided, 1 - sided)[decided]
    return float(agree.mean()) if decided.any() else float("nan"), agreement
