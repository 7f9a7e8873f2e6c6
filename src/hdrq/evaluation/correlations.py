"""Correlations between metrics, without subjective scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hdrq.errors import UsageError
from hdrq.evaluation.ratings import stated_direction
from hdrq.evaluation.statistics.correlation import krocc, plcc, srocc

STATISTICS = {"srocc": srocc, "krocc": krocc, "plcc": plcc}


@dataclass(frozen=True)
class Pairing:
    """Correlation of two metrics over the images that both have a score of.

    Positive where both find the same images better: a metric whose lower values are better counts negatively. plcc is
    that of the values themselves, without a fitted curve.
    """

    a: str
    b: str
    images: int
    srocc: float
    krocc: float
    plcc: float


def correlations(scores: Mapping[str, Mapping[str, float]], better: Mapping[str, str]) -> list[Pairing]:
    """All pairs of metrics, each once, in the order of `scores`.

    scores  {metric: {image: value}};  better  {metric: direction}, else that of hdrq's metric of this name, else higher
    """
    if len(scores) < 2:
        raise UsageError("correlations are between metrics; name two at least with -m")
    signs = {m: -1.0 if direction_of(m, better) == "lower" else 1.0 for m in scores}
    found = []
    names = list(scores)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            shared = [
                k for k in scores[a] if np.isfinite(scores[a][k]) and np.isfinite(scores[b].get(k, np.nan))
            ]
            if len(shared) < 3:
                raise UsageError(
                    f"{a} and {b} have scores of {len(shared)} images in common; at least 3 are needed"
                )
            x = signs[a] * np.array([scores[a][k] for k in shared])
            y = signs[b] * np.array([scores[b][k] for k in shared])
            found.append(Pairing(a, b, len(shared), *(float(s(x, y)) for s in STATISTICS.values())))
    return found


def direction_of(metric: str, better: Mapping[str, str]) -> str:
    """ "higher" or "lower" where it is known, else ""."""
    return better.get(metric, "") or stated_direction(metric)
