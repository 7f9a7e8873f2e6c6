"""Subjective scores of several datasets on one scale, that of one of them, by what metrics or common images say.

The line that takes a dataset's scores to the scale of another is found from

* common images, where the two datasets have judged some of the same files: the line through both scores of each; or
* metrics, as a yardstick that both datasets share: in each dataset the scores are matched to the metrics' quality, and
  the quality to the other scale.

Each line is that of the reduced major axis: it matches means and standard deviations. A regression's slope would shrink
with the noise of the metrics, and with it the range of the dataset. The line is right as far as the metrics err alike in
both datasets; it is not where they favour one kind of images. The use of metrics as the yardstick follows Pinson &
Wolf, "An objective method for combining multiple subjective data sets", SPIE VCIP 2003, whose iterated least squares
it does not repeat. How IMQNet's paper merged the six datasets of its teacher is not in the text at hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hdrq.errors import UsageError
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.statistics.correlation import srocc
from hdrq.io.remote_cache import local

Array = NDArray[np.float64]
COLUMNS = ("dist", "ref", "mos", "scene", "distortion", "dataset", "mos_own")
# common images that determine a line
FEWEST = 10
# SROCC below which the metrics hardly see what the observers of a dataset saw
_WEAK = 0.4


@dataclass(frozen=True)
class Line:
    """merged = offset + gain * own score of a dataset; `own` is higher for better images after `turned`.

    by        "metrics", "common images", or "" for the dataset whose scale is kept
    images    from which the line was found
    agreement SROCC of the metrics' quality, or of the other scores, with the dataset's scores
    """

    dataset: str
    gain: float
    offset: float
    by: str
    images: int
    agreement: float


@dataclass(frozen=True)
class MergedRatings:
    """Rows with the columns of COLUMNS, higher scores being better, the line of each dataset, and notes."""

    rows: tuple[dict[str, Any], ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def merge_ratings(all_ratings: Mapping[str, Ratings], anchor: str = "") -> MergedRatings:
    """Bring the scores of all datasets to the scale of `anchor`, by default of the first.

    Common images are those whose files are equal; with at least ten of them they determine the line, else the metrics
    do, whose z-scores over all datasets are averaged. Raises UsageError where metrics and scores do not agree at all.
    """
    if len(all_ratings) < 2:
        raise UsageError("merging takes at least two datasets; repeat --dataset")
    anchor = anchor or next(iter(all_ratings))
    if anchor not in all_ratings:
        raise UsageError(
            f"there is no dataset '{anchor}' to take the scale of; there are {', '.join(all_ratings)}"
        )
    quality = _quality(all_ratings)
    own = {name: _rising(ratings) for name, ratings in all_ratings.items()}
    files = _digests(all_ratings)
    lines, notes = [], []
    for name in all_ratings:
        found = _line(name, anchor, own, quality, files)
        lines.append(found)
        if found.by == "metrics" and found.agreement < _WEAK:
            notes.append(
                f"the metrics agree with the scores of {name} by an SROCC of {found.agreement:.2f} only, so that its place "
                "on the scale is uncertain; use metrics that agree better"
            )
    rows: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    twice = 0
    for line in lines:
        for pair, score, key in zip(
            all_ratings[line.dataset].pairs, own[line.dataset], files[line.dataset], strict=True
        ):
            if key and seen.setdefault(key, line.dataset) != line.dataset:
                twice += 1
                continue
            rows.append(
                {
                    "dist": _absolute(pair.dist),
                    "ref": _absolute(pair.ref) if pair.ref else "",
                    "mos": float(line.offset + line.gain * score),
                    "scene": f"{line.dataset}:{pair.scene or Path(str(pair.dist)).stem}",
                    "distortion": pair.distortion,
                    "dataset": line.dataset,
                    "mos_own": pair.mos,
                }
            )
    if twice:
        notes.append(f"{twice} images that several datasets have are taken from the first of them")
    return MergedRatings(tuple(rows), tuple(lines), tuple(notes))


def _line(
    name: str,
    anchor: str,
    own: Mapping[str, Array],
    quality: Mapping[str, Array],
    files: Mapping[str, Sequence[str]],
) -> Line:
    """The line of one dataset."""
    scores = own[name]
    if name == anchor:
        return Line(name, 1.0, 0.0, "", scores.size, float(srocc(quality[name], scores)))
    there = {key: i for i, key in enumerate(files[anchor]) if key}
    both = [(i, there[key]) for i, key in enumerate(files[name]) if key in there]
    if len(both) >= FEWEST:
        x, y = scores[[i for i, _ in both]], own[anchor][[j for _, j in both]]
        agreement = float(srocc(x, y))
        if not agreement > 0:
            raise UsageError(
                f"{name} and {anchor} contradict each other on {len(both)} common images (SROCC {agreement:.2f}); check the "
                "direction of their scores"
            )
        gain, offset = _matched(x, y)
        return Line(name, gain, offset, "common images", len(both), agreement)
    for one in (name, anchor):
        agreement = float(srocc(quality[one], own[one]))
        if not agreement > 0:
            raise UsageError(
                f"the metrics do not agree with the scores of {one} (SROCC {agreement:.2f}), so that they cannot tell its "
                "scale; use other metrics"
            )
    # to the metrics' quality
    first, shift = _matched(scores, quality[name])
    # and on to the other scale
    second, base = _matched(quality[anchor], own[anchor])
    gain, offset = second * first, second * shift + base
    return Line(name, gain, offset, "metrics", scores.size, float(srocc(quality[name], scores)))


def _matched(x: Array, y: Array) -> tuple[float, float]:
    """(gain, offset) of the rising line that gives x the mean and standard deviation of y."""
    if not (x.std() > 0 and y.std() > 0):
        raise UsageError("all images that could link two datasets have the same score; use other metrics")
    gain = float(y.std() / x.std())
    return gain, float(y.mean() - gain * x.mean())


def _rising(ratings: Ratings) -> Array:
    """Scores that are higher for better images."""
    rising: Array = ratings.mos if ratings.mos_better == "higher" else -ratings.mos
    return rising


def _quality(all_ratings: Mapping[str, Ratings]) -> dict[str, Array]:
    """The mean of the z-scores, over all datasets, of the metrics that all of them have, higher for better images."""
    shared = [
        m
        for m in next(iter(all_ratings.values())).metrics
        if all(m in s.metrics for s in all_ratings.values())
    ]
    if not shared:
        raise UsageError("the datasets share no metric; name one with -m")
    turned = {}
    for name, ratings in all_ratings.items():
        places = [ratings.metrics.index(m) for m in shared]
        signs = np.array([1 if ratings.better[i] == "higher" else -1 for i in places])
        turned[name] = ratings.values[places] * signs[:, None]
    every = np.concatenate(list(turned.values()), 1)
    spread = every.std(1, keepdims=True)
    if not (spread > 0).all():
        raise UsageError(
            f"{shared[int(np.argmin(spread))]} gives all images the same score; use another metric"
        )
    return {name: ((v - every.mean(1, keepdims=True)) / spread).mean(0) for name, v in turned.items()}


def _digests(all_ratings: Mapping[str, Ratings]) -> dict[str, list[str]]:
    """The content of each test image, "" where the file is not at hand or no other dataset has a file of its size."""
    sizes = {name: [_size(str(p.dist)) for p in ratings.pairs] for name, ratings in all_ratings.items()}
    holders: dict[int, set[str]] = {}
    for name, own in sizes.items():
        for size in own:
            holders.setdefault(size, set()).add(name)
    return {
        name: [
            _digest(str(pair.dist)) if size >= 0 and len(holders[size]) > 1 else ""
            for pair, size in zip(ratings.pairs, sizes[name], strict=True)
        ]
        for name, ratings in all_ratings.items()
    }


def _size(path: str) -> int:
    """Bytes of a file; -1 where it is not at hand."""
    try:
        return local(Path(path)).stat().st_size
    except OSError:
        return -1


def _digest(path: str) -> str:
    try:
        with local(Path(path)).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _absolute(path: Any) -> str:
    place = Path(str(path))
    return str(place.resolve()) if place.exists() else str(path)
