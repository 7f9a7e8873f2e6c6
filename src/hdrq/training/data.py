"""Labelled items from the subjective scores of a dataset, with scenes held out for validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, direction_of, locate
from hdrq.records import Pair
from hdrq.registry import find, names
from hdrq.training.batches import Item
from hdrq.training.disentanglement import with_partners
from hdrq.training.labels import jod_to_loss, kadid_linearised, unit_range
from hdrq.training.settings import Settings

Labels = NDArray[np.float64]
PIPELINES: dict[str, Callable[[Labels, bool], Labels]] = {
    "raw": lambda v, higher: v,
    "unit": lambda v, higher: unit_range(v if higher else -v),
    "loss": lambda v, higher: 1 - unit_range(v) if higher else unit_range(v),
    "kadid": lambda v, higher: kadid_linearised(v if higher else -v),
    "jod": lambda v, higher: jod_to_loss(v),
    "span": lambda v, higher: v if higher else 1 - v,
    "percent": lambda v, higher: 100 * (v if higher else 1 - v),
}
# relative to the ends of the scale instead of the range of the given scores
_SPANNED = ("span", "percent")
# labels that rise with quality
HIGHER = ("unit", "span", "percent")
# held-out images needed for a correlation
_FEWEST = 2


def items_of(name: str, subset: str, data: Path | None, labels: str, better: str = "") -> list[Item]:
    """Every image of a dataset, or of several: "tid2013+kadid". With labels "" the items have no label.

    better  direction of the subjective scores, where the dataset does not state it
    """
    several = name.split("+")
    if len(several) > 1:
        return [
            replace(i, scene=f"{one}:{i.scene}", distortion=f"{one}:{i.distortion}" if i.distortion else "")
            for one in several
            for i in items_of(one, subset, data, labels, better)
        ]
    dataset: Dataset = find("dataset", name)
    _check_labels(labels, dataset)
    pairs = list(dataset.pairs(locate(dataset, data), subset or None))
    if labels in _SPANNED:
        if dataset.span is None:
            raise UsageError(f"{name} does not state the ends of its scale; use labels=unit or labels=loss")
        low, high = dataset.span
        pairs = [p if p.mos is None else replace(p, mos=(p.mos - low) / (high - low)) for p in pairs]
    return labelled(pairs, labels, direction_of(dataset, pairs, better) != "lower")


def _check_labels(labels: str, dataset: Dataset) -> None:
    """Raise UsageError where labels need another scale than that of the dataset."""
    if labels and labels not in PIPELINES:
        raise UsageError(f"there are no labels '{labels}'; use one of {', '.join(PIPELINES)}")
    in_jod = "JOD" in dataset.scale
    if labels == "jod" and not in_jod:
        raise UsageError(
            f"labels=jod needs scores in JOD, but {dataset.name} has {dataset.scale}; use labels=loss"
        )
    if labels == "kadid" and in_jod:
        raise UsageError(
            f"labels=kadid linearises mean opinion scores, but {dataset.name} has JOD; use labels=jod"
        )


def labelled(pairs: Sequence[Pair], labels: str, higher: bool) -> list[Item]:
    """Items with labels computed from the scores of pairs; pairs without a score are skipped.

    labels  "" keeps all pairs, unlabelled
    """
    scored = [p for p in pairs if p.mos is not None]
    made: dict[int, float] = {}
    if labels and scored:
        values = PIPELINES[labels](np.array([p.mos for p in scored], dtype=np.float64), higher)
        made = {id(p): float(v) for p, v in zip(scored, values)}
    elif labels:
        raise UsageError(
            "these images have no subjective scores; add a column mos, or use them as an unlabelled --target"
        )
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


def hold_out_scenes(items: Sequence[Item], share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """(training items, held-out items). Whole scenes are held out, so that no reference is in both parts."""
    scenes = sorted({i.scene for i in items})
    count = round(share * len(scenes))
    if share > 0 and len(scenes) > 1:
        count = min(max(count, 1), len(scenes) - 1)
    if count == 0:
        return list(items), []
    out = set(np.random.RandomState(seed).permutation(scenes)[:count].tolist())
    return [i for i in items if i.scene not in out], [i for i in items if i.scene in out]


def data_of(
    settings: Settings, data: Path | None, better: str = ""
) -> tuple[list[Item], list[Item], list[Item]]:
    """(source, held out, target). Checks that references exist where the network needs them, and that labels differ.

    Scenes and distortions to test on are in none of the three.
    """
    source, target = _domains(settings, data, better)
    _refuse_unknown_tests(target if settings.held_from == "target" else source, settings)
    of_target, alike = settings.held_from == "target", settings.target == settings.source
    source = source if of_target and not alike else _without_test_images(source, settings)
    target = _without_test_images(target, settings) if of_target or alike else target
    held_domain = target if of_target else source
    if settings.held_subset:
        held_out = items_of(
            settings.held_dataset, settings.held_subset, data, settings.held_dataset_labels, better
        )
    elif settings.held_scenes:
        held_out = _of_scenes(held_domain, settings.held_scenes)
    else:
        held_out = hold_out_scenes(held_domain, settings.holdout, settings.seed)[1]
    held_scenes = {i.scene for i in held_out}
    if not settings.held_subset and (alike or not of_target):
        source = [i for i in source if i.scene not in held_scenes]
    if alike or (of_target and not settings.held_subset):
        target = [i for i in target if i.scene not in held_scenes]
    source, held_out = (
        _paired(part, settings, name)
        for part, name in ((source, settings.source), (held_out, settings.held_dataset))
    )
    if settings.terms:
        source = with_partners(source)
    target = _paired(target, settings, settings.target)
    if not settings.target_labels:
        target = [replace(i, label=None) for i in target]
    _check_scores_differ(source, held_out, settings)
    return source, held_out, target


def items_to_test(settings: Settings, data: Path | None, better: str = "") -> list[Item]:
    """The items of test_scenes and test_distortions."""
    domains = _domains(settings, data, better)
    held_domain = domains[1] if settings.held_from == "target" else domains[0]
    _refuse_unknown_tests(held_domain, settings)
    learnt = {id(i) for i in _without_test_images(held_domain, settings)}
    found = [i for i in held_domain if id(i) not in learnt]
    return _paired(found, settings, settings.held_dataset)


def items_of_dataset(
    settings: Settings, name: str, subset: str, data: Path | None, better: str
) -> list[Item]:
    """All items of another dataset, labelled with their subjective scores, for the network of these settings."""
    return _paired(items_of(name, subset, data, "raw", better), settings, name)


def label_direction(settings: Settings, dataset_better: str) -> str:
    """Whether "higher" or "lower" labels are better: what the trained network gives."""
    if settings.labels == "raw":
        return dataset_better or "higher"
    return "higher" if settings.labels in HIGHER else "lower"


def refuse_other_direction(settings: Settings, better: str) -> None:
    """Raise UsageError where labels rise with quality and the score of the network falls with it, or the reverse.

    better  direction of the subjective scores, where the dataset does not state it
    """
    if settings.net not in names("metric"):
        return
    wanted = find("metric", settings.net).output().better
    for key, dataset in (("labels", settings.source), ("target_labels", settings.target)):
        labels = getattr(settings, key)
        if not labels or not dataset:
            continue
        card: Dataset = find("dataset", dataset.split("+")[0])
        if label_direction(replace(settings, labels=labels), card.better or better) != wanted:
            opposite = "lower" if wanted == "higher" else "higher"
            other = "unit" if wanted == "higher" else "jod" if "JOD" in card.scale else "loss"
            raise UsageError(
                f"{key}={labels} is {opposite} for better images, but the score of "
                f"{settings.net} is {wanted}; use {key}={other}"
            )


def _domains(settings: Settings, data: Path | None, better: str) -> tuple[list[Item], list[Item]]:
    """All items of the source and of the target."""
    if not settings.source:
        raise UsageError("name a dataset to train on with --dataset; see: hdrq list datasets")
    source = items_of(settings.source, settings.source_subset, data, settings.labels, better)
    target: list[Item] = []
    if settings.target:
        target = items_of(settings.target, settings.target_subset, data, settings.target_labels, better)
    return source, target


def _refuse_unknown_tests(items: Sequence[Item], settings: Settings) -> None:
    """Raise UsageError where a scene or distortion to test on is in none of the images."""
    for what, given, held in (
        ("scene", settings.test_scenes, {i.scene for i in items}),
        ("distortion", settings.test_distortions, {i.distortion for i in items}),
    ):
        if absent := sorted(set(given) - held):
            raise UsageError(
                f"{settings.held_dataset} has no {what} '{absent[0]}' to test on; correct test_{what}s"
            )


def _without_test_images(items: Sequence[Item], settings: Settings) -> list[Item]:
    return [
        i
        for i in items
        if i.scene not in settings.test_scenes and i.distortion not in settings.test_distortions
    ]


def _of_scenes(items: Sequence[Item], scenes: Sequence[str]) -> list[Item]:
    """The items of these scenes, each of which must be there."""
    if absent := sorted(set(scenes) - {i.scene for i in items}):
        raise UsageError(f"there is no scene '{absent[0]}' to validate on; correct held_scenes")
    return [i for i in items if i.scene in set(scenes)]


def _paired(items: Sequence[Item], settings: Settings, dataset: str) -> list[Item]:
    """Items in the form that the network reads: all without references, or all with a reference.

    Images of an unlabelled dataset without references are compared with themselves, because domain adaptation uses
    only their features.
    """
    if not compares(settings.net):
        return [replace(i, ref=None) for i in items]
    bare = next((i for i in items if i.ref is None), None)
    if bare is None:
        return list(items)
    if all(i.label is None for i in items):
        return [i if i.ref else replace(i, ref=i.dist) for i in items]
    raise UsageError(
        f"{settings.net} compares with a reference, but {bare.dist} of {dataset} has none; add a column ref, "
        "or train a no-reference network such as norvdpnet++"
    )


def compares(net: str) -> bool:
    """Whether the metric of a network takes a reference."""
    return net not in names("metric") or find("metric", net).card.reference is not None


def _check_scores_differ(source: Sequence[Item], held_out: Sequence[Item], settings: Settings) -> None:
    """Raise UsageError where training or validation would be meaningless."""
    if len({i.label for i in source}) < 2:
        raise UsageError(
            f"all {len(source)} images to train on have the same score; training needs different ones"
        )
    if settings.holdout == 0 and not settings.held_subset and not settings.held_scenes:
        return
    if not held_out:
        raise UsageError(
            f"nothing can be held out: all images of {settings.source} are of one scene; add a column scene, "
            "or train without validation: --set holdout=0"
        )
    if len(held_out) < _FEWEST or len({i.label for i in held_out}) < 2:
        raise UsageError(
            f"{len(held_out)} images with {len({i.label for i in held_out})} different scores are held out, too "
            f"few to validate on; hold out more with --set holdout=0.4, or nothing with --set holdout=0"
        )
