"""Subjective scores and metric values of the same images: the table that is evaluated.

It comes from a dataset's pairs and score rows, or from one table with both: long
(columns metric, value, as written by `hdrq score`) or wide (one column per metric).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hdrq.cards import Metric
from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, direction_of
from hdrq.evaluation.protocols import Split
from hdrq.evaluation.statistics.correlation import constant, srocc
from hdrq.records import Pair
from hdrq.registry import find
from hdrq.scoring.request import parse


@dataclass(frozen=True)
class Ratings:
    """Subjective scores of n images, and the values of M metrics on them.

    values    (M, n) in the metrics' units
    better    direction of each metric, "higher" or "lower"; `sign` is its direction relative to the subjective scores
    errors    (n,) uncertainty of each score, for the outlier ratio: standard error or standard deviation; None if unknown
    errors_are  "standard error" or "standard deviation"
    folds     (scenes, folds=, seed=) -> splits, for datasets whose authors state their folds
    """

    name: str
    pairs: tuple[Pair, ...]
    metrics: tuple[str, ...]
    values: NDArray[np.float64]
    better: tuple[str, ...]
    mos_better: str
    errors: NDArray[np.float64] | None = None
    errors_are: str = ""
    notes: tuple[str, ...] = ()
    folds: Callable[..., list[Split]] | None = None

    @property
    def mos(self) -> NDArray[np.float64]:
        """Subjective scores, (P,), in the unit of the dataset."""
        return np.array([p.mos for p in self.pairs], dtype=np.float64)

    @property
    def scenes(self) -> list[str]:
        """The scene of every image; the image itself where none is stated."""
        return [p.scene or str(p.dist) for p in self.pairs]

    @property
    def signs(self) -> tuple[int, ...]:
        """+1 for a metric that increases with the subjective scores."""
        return tuple(1 if b == self.mos_better else -1 for b in self.better)

    def rows(self, keep: NDArray[np.bool_]) -> Ratings:
        """The ratings of a subset of the images."""
        return replace(
            self,
            pairs=tuple(p for p, k in zip(self.pairs, keep, strict=True) if k),
            values=self.values[:, keep],
            errors=None if self.errors is None else self.errors[keep],
        )


def ratings(
    pairs: Sequence[Pair],
    scores: Mapping[str, Mapping[str, float]],
    better: Mapping[str, str],
    *,
    name: str = "",
    dataset: Dataset | None = None,
    mos_better: str = "",
) -> Ratings:
    """The ratings of pairs with a subjective score and a score of each metric, matched by the pair's test image.

    scores  {metric: {str(pair.dist): value}}; an image without a score of some metric is left out, with a note
    better  {metric: direction}; where missing, that of hdrq's metric of the same name; otherwise the sign of its
            correlation with the subjective scores, with a note
    """
    scored = [p for p in pairs if p.mos is not None]
    if not scored:
        raise UsageError(f"{name or 'the table'} has no subjective scores")
    metrics = tuple(scores)
    if not metrics:
        raise UsageError(f"{name or 'the table'} has no column of metric values, which are finite numbers")
    values = np.array(
        [[scores[m].get(str(p.dist), np.nan) for p in scored] for m in metrics], dtype=np.float64
    )
    values = values.reshape(len(metrics), len(scored))
    notes = []
    empty = [m for m, row in zip(metrics, values, strict=True) if not np.isfinite(row).any()]
    if empty:
        raise UsageError(f"{empty[0]} has no score for any image of {name or 'the table'}")
    whole = np.asarray(np.isfinite(values).all(0))
    infinite = np.isinf(values).any(0)
    if infinite.any():
        of = ", ".join(m for m, row in zip(metrics, values, strict=True) if np.isinf(row).any())
        notes.append(
            f"{int(infinite.sum())} of {whole.size} images have an infinite score of {of}, as for identical images, "
            "and are excluded for every metric"
        )
    if lacking := int((~whole & ~infinite).sum()):
        notes.append(f"{lacking} of {whole.size} images lack a score of some metric and are excluded")
    scored, values = [p for p, k in zip(scored, whole, strict=True) if k], values[:, whole]
    if len(scored) < 4:
        raise UsageError(
            f"{len(scored)} images have subjective scores and metric values; at least 4 are needed"
        )
    mos = np.array([p.mos for p in scored], dtype=np.float64)
    if constant(mos):
        raise UsageError(
            f"all {mos.size} images of {name or 'the table'} have the subjective score {mos[0]:g}, with which "
            "nothing can be correlated; check the column of subjective scores"
        )
    known_better = mos_better or (direction_of(dataset, scored) if dataset else "")
    toward = known_better or "higher"
    if not known_better:
        notes.append("higher subjective scores are taken as better; use --lower if lower is better")
    known, guessed = [], []
    for metric, row in zip(metrics, values, strict=True):
        direction = better.get(metric, "") or stated_direction(metric)
        if not direction:
            agrees = srocc(row, mos) >= 0
            direction = toward if agrees else ("lower" if toward == "higher" else "higher")
            guessed.append(metric)
        known.append(direction)
    if guessed:
        notes.append(
            f"direction of {', '.join(guessed)} is unknown; it is taken from the data (sign of the correlation)"
        )
    if (scenes := len({p.scene for p in scored})) < 10:
        notes.append(f"only {scenes} scenes: the intervals are unreliable")
    errors, kind = _errors(scored, dataset)
    folds = dataset.folds if dataset else None
    return Ratings(
        name, tuple(scored), metrics, values, tuple(known), toward, errors, kind, tuple(notes), folds
    )


def stated_direction(name: str) -> str:
    """The direction of hdrq's metric of this name ("PSNR", "pu21:ssim"), or "" where there is none."""
    try:
        request = parse(name)
    except UsageError:
        return ""
    found: Metric = find("metric", request.metric)
    return found.output(dict(request.options)).better


def _errors(pairs: Sequence[Pair], dataset: Dataset | None) -> tuple[NDArray[np.float64] | None, str]:
    """Standard errors of the scores where known or computable from the number of observers, else standard deviations."""
    if any(p.spread is None for p in pairs):
        return None, ""
    spread = np.array([p.spread for p in pairs], dtype=np.float64)
    stated = {p.carried.get("spread_is", dataset.spread if dataset else "") for p in pairs}
    if stated == {"se"}:
        return spread, "standard error"
    if dataset is not None and dataset.observers:
        return spread / np.sqrt(dataset.observers), "standard error"
    return spread, "standard deviation"


def join(pairs: Iterable[Pair], names: Iterable[str]) -> dict[str, str]:
    """{name in a table: str(pair.dist)}: equal names, else the longest unique common end of the path."""
    ends: dict[str, set[str]] = {}
    for pair in pairs:
        parts = Path(str(pair.dist)).as_posix().split("/")
        for i in range(len(parts)):
            ends.setdefault("/".join(parts[i:]).casefold(), set()).add(str(pair.dist))
    found = {}
    for name in names:
        parts = Path(name.replace("\\", "/")).as_posix().casefold().split("/")
        for i in range(len(parts)):
            hits = ends.get("/".join(parts[i:]), set())
            if len(hits) == 1:
                found[name] = next(iter(hits))
                break
    return found
