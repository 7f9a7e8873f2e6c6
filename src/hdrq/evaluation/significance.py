"""Significance of differences between metrics on the same images, and their resolving power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hdrq.evaluation.evaluate import PLAN, Plan, sortable
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.statistics import resolving_power
from hdrq.evaluation.statistics.agreement import bootstrap_statistics, direction_sign, ends
from hdrq.evaluation.statistics.bootstrap import draw, two_sided
from hdrq.evaluation.statistics.correlation import holm, plcc, srocc, steiger, williams
from hdrq.evaluation.statistics.curves import fit


@dataclass(frozen=True)
class PairedTest:
    """Comparison of two metrics on the same images.

    gap           SROCC of a minus SROCC of b, with its 95 % interval from bootstrap samples of scenes
    p_scenes      two-sided p from the same samples; p_holm is corrected for the number of comparisons
    p_steiger     for SROCC; p_williams for PLCC: both assume independent images
    p_different, p_better, p_correct   of Krasula's resolving power; None without standard errors of the scores
    """

    a: str
    b: str
    gap: float
    low: float
    high: float
    p_scenes: float
    p_holm: float
    p_steiger: float
    p_williams: float
    p_different: float | None = None
    p_better: float | None = None
    p_correct: float | None = None


@dataclass(frozen=True)
class ResolvingPower:
    """Krasula's statistics of one metric, with 95 % intervals from bootstrap samples of scenes."""

    metric: str
    different: float
    better: float
    correct: float
    pairs: int
    differing: int
    intervals: dict[str, tuple[float, float]]


def paired_tests(ratings: Ratings, plan: Plan = PLAN) -> list[PairedTest]:
    """All pairs of metrics, on the whole set."""
    if len(ratings.metrics) < 2:
        return []
    curves = [fit(plan.form, row, ratings.mos) for row in ratings.values]
    by_draw = bootstrap_statistics(
        ratings.values, ratings.mos, ratings.signs, curves, ratings.scenes, plan.draws, plan.seed
    )
    image_pairs, powers = _resolved(ratings, plan)
    y, out = ratings.mos, []
    turned = np.asarray(ratings.signs)[:, None] * ratings.values
    mapped = [
        direction_sign(c, row, s) * c(row)
        for c, row, s in zip(curves, ratings.values, ratings.signs, strict=True)
    ]
    rank, linear = [srocc(row, y) for row in turned], [plcc(row, y) for row in mapped]
    for i, j in combinations(range(len(ratings.metrics)), 2):
        gaps = by_draw["srocc"][:, i] - by_draw["srocc"][:, j] if by_draw else np.zeros((0,))
        gaps = gaps[np.isfinite(gaps)]
        low, high = np.quantile(gaps, [0.025, 0.975]) if gaps.size else (np.nan, np.nan)
        p = resolving_power.compare(powers[i], powers[j], image_pairs) if image_pairs else {}
        out.append(
            PairedTest(
                a=ratings.metrics[i],
                b=ratings.metrics[j],
                gap=rank[i] - rank[j],
                low=float(low),
                high=float(high),
                p_scenes=float(two_sided(gaps)) if gaps.size else float("nan"),
                p_holm=float("nan"),
                p_steiger=steiger(rank[i], rank[j], srocc(turned[i], turned[j]), y.size)[1],
                p_williams=williams(linear[i], linear[j], plcc(mapped[i], mapped[j]), y.size)[1],
                p_different=p.get("different"),
                p_better=p.get("better"),
                p_correct=p.get("correct"),
            )
        )
    if by_draw:
        corrected = holm([c.p_scenes for c in out])
        out = [replace(c, p_holm=p) for c, p in zip(out, corrected, strict=True)]
    return out


def resolving(ratings: Ratings, plan: Plan = PLAN) -> list[ResolvingPower]:
    """Krasula's analysis of every metric; empty without standard errors of the subjective scores."""
    image_pairs, powers = _resolved(ratings, plan)
    if image_pairs is None:
        return []
    names, scene = np.unique(np.array(ratings.scenes), return_inverse=True)
    few, drawn_powers = _resolved(ratings, plan, most=_DRAWN_PAIRS)
    spread: Mapping[str, NDArray[np.float64]] = {}
    if len(names) > 1 and few is not None and plan.draws:
        times = np.concatenate(list(draw(len(names), min(plan.draws, _DRAWN), plan.seed, len(names))))
        spread = resolving_power.bootstrap_areas(drawn_powers, few, scene, times)
    out = []
    for i, (metric, p) in enumerate(zip(ratings.metrics, powers, strict=True)):
        out.append(
            ResolvingPower(metric, p.different, p.better, p.correct, p.pairs, p.differing, ends(spread, i))
        )
    return sorted(out, key=lambda r: -sortable(r.better))


# bootstrap samples, and pairs of images, for the intervals of resolving power
_DRAWN, _DRAWN_PAIRS = (
    200,
    20_000,
)


def _resolved(
    ratings: Ratings, plan: Plan, most: int = resolving_power.MOST_PAIRS
) -> tuple[resolving_power.ImagePairs | None, list[resolving_power.Power]]:
    if ratings.errors is None or ratings.errors_are != "standard error":
        return None, []
    toward = 1 if ratings.mos_better == "higher" else -1
    image_pairs = resolving_power.image_pairs(toward * ratings.mos, ratings.errors, most=most, seed=plan.seed)
    turned = toward * np.asarray(ratings.signs)[:, None] * ratings.values
    return image_pairs, [resolving_power.power(row, image_pairs) for row in turned]
