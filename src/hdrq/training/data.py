"""From a dataset's opinions to items to learn from: labels made, scenes held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, locate
from hdrq.records import Pair
from hdrq.registry import find, names
from hdrq.training.disentanglement import with_partners
from hdrq.training.feed import Item
from hdrq.training.labels import jod_to_loss, kadid_linearised, unit_range
from hdrq.training.settings import Run

Labels = NDArray[np.float64]
PIPELINES: dict[str, Callable[[Labels, bool], Labels]] = {
    "raw": lambda v, higher: v,
    "unit": lambda v, higher: unit_range(v),
    "loss": lambda v, higher: 1 - unit_range(v) if higher else unit_range(v),
    "kadid": lambda v, higher: kadid_linearised(v if higher else -v),
    "jod": lambda v, higher: jod_to_loss(v),
    "span": lambda v, higher: v if higher else 1 - v,
    "percent": lambda v, higher: 100 * (v if higher else 1 - v),
}
_SPANNED = ("span", "percent")  # of the scale's ends, not of the opinions that happen to be there


def items_of(name: str, subset: str, data: Path | None, labels: str) -> list[Item]:
    """Every picture of a dataset, or of several: "tid2013+kadid"; labels "" leaves them without one."""
    several = name.split("+")
    if len(several) > 1:
        return [
            replace(i, scene=f"{one}:{i.scene}", distortion=f"{one}:{i.distortion}" if i.distortion else "")
            for one in several
            for i in items_of(one, subset, data, labels)
        ]
    dataset: Dataset = find("dataset", name)
    pairs = list(dataset.pairs(locate(dataset, data), subset or None))
    if labels in _SPANNED:
        if dataset.span is None:
            raise UsageError(f"{name} does not say where its scale ends; use labels=unit or labels=loss")
        low, high = dataset.span
        pairs = [
            p if p.opinion is None else replace(p, opinion=(p.opinion - low) / (high - low)) for p in pairs
        ]
    return labelled(pairs, labels, dataset.better != "lower")


def labelled(pairs: Sequence[Pair], labels: str, higher: bool) -> list[Item]:
    """Items of pairs, their opinions sent through a pipeline; those without an opinion stay unlabelled."""
    if labels and labels not in PIPELINES:
        raise UsageError(f"no labels are called '{labels}'; there are {', '.join(PIPELINES)}")
    judged = [p for p in pairs if p.opinion is not None]
    made: dict[int, float] = {}
    if labels and judged:
        values = PIPELINES[labels](np.array([p.opinion for p in judged], dtype=np.float64), higher)
        made = {id(p): float(v) for p, v in zip(judged, values)}
    elif labels:
        raise UsageError("these pictures have no opinions to learn from; use them as an unlabelled target")
    return [
        Item(
            str(p.dist),
            str(p.ref) if p.ref else None,
            made.get(id(p)),
            p.scene or str(p.ref or p.dist),
            p.distortion,
        )
        for p in pairs
        if not labels or id(p) in made
    ]


def without_scenes(items: Sequence[Item], share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """(items to learn from, items held out): whole scenes, so that no reference is on both sides."""
    scenes = sorted({i.scene for i in items})
    count = round(share * len(scenes))
    if share > 0 and len(scenes) > 1:
        count = min(max(count, 1), len(scenes) - 1)
    if count == 0:
        return list(items), []
    out = set(np.random.RandomState(seed).permutation(scenes)[:count].tolist())
    return [i for i in items if i.scene not in out], [i for i in items if i.scene in out]


def data_of(run: Run, data: Path | None) -> tuple[list[Item], list[Item], list[Item]]:
    """(source, held out, target) of a run."""
    if not run.source:
        raise UsageError("name what to learn from with --dataset")
    source = items_of(run.source, run.source_subset, data, run.labels)
    held_out = items_of(run.source, run.held_subset, data, run.labels) if run.held_subset else []
    if not run.held_subset:
        source, held_out = without_scenes(source, run.holdout, run.seed)
    if run.net in names("metric") and find("metric", run.net).card.reference is None:
        source, held_out = ([replace(i, ref=None) for i in part] for part in (source, held_out))
    if run.terms:
        source = with_partners(source)
    target = items_of(run.target, run.target_subset, data, run.target_labels) if run.target else []
    kept = {i.scene for i in held_out}
    if run.target == run.source:
        target = [i for i in target if i.scene not in kept]
    if not run.target_labels:
        target = [replace(i, label=None) for i in target]
    return source, held_out, target
