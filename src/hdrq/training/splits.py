"""The splits of an experiment: the scenes or distortions that each training holds out for testing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, locate
from hdrq.evaluation.protocols import kfold, random_splits
from hdrq.registry import check, find
from hdrq.training.batches import Item
from hdrq.training.data import items_of
from hdrq.training.settings import Settings

PROTOCOLS = ("folds", "splits", "lodo", "cross")
# number of folds of the protocol folds
FOLDS = 5
REPEATS = {"folds": 1, "splits": 10, "lodo": 1, "cross": 1}


@dataclass(frozen=True)
class Part:
    """One training of an experiment.

    settings  that it overrides: scenes, distortions and the seed
    number    of `total`
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1
    total: int = 1

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return re.sub(r"[^A-Za-z0-9.]+", "-", self.name).strip("-")


@dataclass(frozen=True)
class CrossDataset:
    """A test dataset: its name, subset, and folder or file where it is not that of the training."""

    name: str
    subset: str = ""
    data: Path | None = None

    @classmethod
    def parse(cls, text: str) -> CrossDataset:
        """NAME[:SUBSET][=FOLDER]."""
        head, _, where = text.partition("=")
        name, _, subset = head.partition(":")
        check("dataset", name)
        return cls(name, subset, Path(where).resolve() if where else None)

    @property
    def title(self) -> str:
        """Name of the test set in tables: its file or dataset, and its subset."""
        file = self.data.stem if self.data is not None and self.data.suffix else ""
        return f"{file or self.name}{f':{self.subset}' if self.subset else ''}"


def parts_of(
    settings: Settings, data: Path | None, better: str, protocol: str, repeats: int, folds: int
) -> list[Part]:
    """The trainings of a protocol.

    folds   fold k tests, fold k + 1 validates, the rest trains (60-20-20 for five), by scene; the folds of a dataset
            whose authors state them are theirs. Every repeat cuts other folds
    splits  as many random splits as `repeats`; the dataset's card says what is drawn and which share tests (a fifth
            of the scenes, or two of six sets). The share `holdout` of the other scenes validates
    lodo    every distortion in turn is left out of training and validation, and tested on
    cross   all images train, apart from the share `holdout`; other datasets test
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"unknown protocol of training '{protocol}'; choose one of {', '.join(PROTOCOLS)}")
    seeds = [settings.seed + i for i in range(repeats)]
    many = repeats > 1
    found: list[Part] = []
    if protocol == "cross":
        found = [Part(f"seed {seed}" if many else "all", {"seed": seed}) for seed in seeds]
    else:
        items = items_of(
            settings.held_dataset, settings.held_dataset_subset, data, settings.held_dataset_labels, better
        )
        if protocol == "folds":
            card: Dataset = find("dataset", settings.held_dataset.split("+")[0])
            cut = kfold if "+" in settings.held_dataset else card.folds or kfold
            scenes = [i.scene for i in items]
            found = [
                Part(
                    f"repeat {r + 1} {split.name}" if many else split.name,
                    {
                        "held_scenes": tuple(sorted(split.validate)),
                        "test_scenes": tuple(sorted(split.test)),
                        "seed": seed,
                    },
                )
                for r, seed in enumerate(seeds)
                for split in cut(scenes, folds=folds, seed=seed)
            ]
        elif protocol == "splits":
            found = _random(settings, data, items, repeats)
        else:
            kinds = list(dict.fromkeys(i.distortion for i in items if i.distortion))
            if len(kinds) < 2:
                raise UsageError(
                    f"{settings.held_dataset} names {len(kinds)} distortions; leaving one out needs two; "
                    "use --protocol splits"
                )
            found = [
                Part(
                    f"without {kind}" + (f" seed {seed}" if many else ""),
                    {"test_distortions": (kind,), "seed": seed},
                )
                for seed in seeds
                for kind in kinds
            ]
    return [Part(p.name, p.settings, i, len(found)) for i, p in enumerate(found, 1)]


def _random(settings: Settings, data: Path | None, items: Sequence[Item], count: int) -> list[Part]:
    """Random splits over scenes, or over the sets of a dataset that is split by sets."""
    scenes = {i.scene for i in items}
    card: Dataset = find("dataset", settings.held_dataset.split("+")[0])
    groups: dict[str, set[str]] = {}
    if card.split_by and "+" not in settings.held_dataset:
        for pair in card.pairs(locate(card, data), settings.held_dataset_subset or None):
            if pair.scene in scenes:
                groups.setdefault(pair.carried[card.split_by], set()).add(pair.scene)
    if len(groups) < 2:
        groups = {scene: {scene} for scene in scenes}
    share = card.test_share if "+" not in settings.held_dataset else 0.2
    return [
        Part(
            split.name,
            {
                "test_scenes": tuple(sorted(scene for name in split.test for scene in groups[name])),
                "seed": settings.seed + i,
            },
        )
        for i, split in enumerate(random_splits(list(groups), count, settings.seed, share))
    ]
