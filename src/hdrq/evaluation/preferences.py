"""Pairwise comparisons: how often a metric agrees with the preferences of observers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Comparison
from hdrq.evaluation.statistics.bootstrap import draw, interval
from hdrq.evaluation.statistics.resolving_power import pairwise_accuracy


@dataclass(frozen=True)
class Preference:
    """Agreement of one metric with pairwise preferences.

    accuracy  share of pairs with a majority for which the metric agrees with it, with a 95 % interval over scenes
    share     mean share of observers that the metric agrees with; `ceiling` is the share when agreeing with every majority
    """

    metric: str
    comparisons: int
    scenes: int
    accuracy: float
    low: float
    high: float
    share: float
    ceiling: float


def preferences(
    comparisons: Sequence[Comparison],
    scores: Mapping[str, Mapping[str, float]],
    better: Mapping[str, str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Iterator[Preference]:
    """Every metric on the comparisons of two images that it scored; scores are {metric: {image: value}}."""
    for metric, values in scores.items():
        turn = 1.0 if better.get(metric) == "higher" else -1.0
        known = [c for c in comparisons if str(c.a) in values and str(c.b) in values]
        if not known:
            raise UsageError(f"{metric} has no scores for both images of any comparison")
        preferred = np.array([c.preferred for c in known])
        a, b = (np.array([turn * values[str(getattr(c, side))] for c in known]) for side in ("a", "b"))
        accuracy, share = pairwise_accuracy(preferred, a, b)
        names, scene = np.unique([c.scene for c in known], return_inverse=True)
        decided = preferred != 0.5
        sided = np.where(a > b, 1.0, np.where(a < b, 0.0, 0.5))
        agree = np.where(preferred > 0.5, sided, 1 - sided)
        right, decided_pairs = (
            np.bincount(scene[decided], w[decided], len(names)) for w in (agree, np.ones(len(known)))
        )
        low = high = float("nan")
        if len(names) > 1:
            times = np.concatenate(list(draw(len(names), draws, seed, len(names))))
            low, high = map(float, interval(times @ right / np.maximum(times @ decided_pairs, 1)))
        ceiling = float(np.mean(np.maximum(preferred, 1 - preferred)))
        yield Preference(metric, len(known), len(names), accuracy, low, high, share, ceiling)
