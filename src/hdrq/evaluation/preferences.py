"""Pairwise data: how often a metric prefers what people prefer."""

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
    """One metric on pairs of images.

    accuracy  share of pairs with a majority on which the metric sides with it, with its 95 % ends by scenes
    share     mean share of people it sides with; `ceiling` is what siding with every majority would give
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
    """Every metric on all comparisons whose two images it scored; scores are {metric: {image: value}}."""
    for metric, values in scores.items():
        turn = 1.0 if better.get(metric) == "higher" else -1.0
        known = [c for c in comparisons if str(c.a) in values and str(c.b) in values]
        if not known:
            raise UsageError(f"{metric} has scored no two images that people compared")
        preferred = np.array([c.preferred for c in known])
        a, b = (np.array([turn * values[str(getattr(c, side))] for c in known]) for side in ("a", "b"))
        accuracy, share = pairwise_accuracy(preferred, a, b)
        names, scene = np.unique([c.scene for c in known], return_inverse=True)
        told = preferred != 0.5
        sided = np.where(a > b, 1.0, np.where(a < b, 0.0, 0.5))
        agree = np.where(preferred > 0.5, sided, 1 - sided)
        right, asked = (np.bincount(scene[told], w[told], len(names)) for w in (agree, np.ones(len(known))))
        low = high = float("nan")
        if len(names) > 1:
            times = np.concatenate(list(draw(len(names), draws, seed, len(names))))
            low, high = map(float, interval(times @ right / np.maximum(times @ asked, 1)))
        ceiling = float(np.mean(np.maximum(preferred, 1 - preferred)))
        yield Preference(metric, len(known), len(names), accuracy, low, high, share, ceiling)
