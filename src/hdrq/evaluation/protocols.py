"""Splits into training, validation and test scenes. All images of a scene are in the same part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hdrq.errors import UsageError


@dataclass(frozen=True)
class Split:
    """Three disjoint sets of scenes."""

    name: str
    train: frozenset[str]
    validate: frozenset[str]
    test: frozenset[str]


def kfold(*groups: Sequence[str], folds: int = 5, seed: int = 0) -> list[Split]:
    """Cross-validation: fold k tests, fold k + 1 validates, the others train (60-20-20 for five folds).

    groups  of scenes that are divided separately, so that every fold has its share of each; sorted first
    Source  numpy's RandomState.permutation as in Chubarau et al. 2024, whose folds of UPIQ it reproduces
    """
    cut: list[list[str]] = [[] for _ in range(folds)]
    # the legacy generator, as used for the published folds
    rng = np.random.RandomState(seed)
    for group in groups:
        names = sorted(set(group))
        if len(names) < folds:
            raise UsageError(f"{len(names)} scenes cannot be divided into {folds} folds; ask for fewer folds")
        for k, part in enumerate(np.array_split(rng.permutation(len(names)), folds)):
            cut[k] += [names[i] for i in part]
    return [_split(f"fold {k + 1}", cut, k) for k in range(folds)]


def _split(name: str, cut: list[list[str]], k: int) -> Split:
    test, validate = frozenset(cut[k]), frozenset(cut[(k + 1) % len(cut)])
    train = frozenset(s for part in cut for s in part) - test - validate
    return Split(name, train, validate, test)


def random_splits(scenes: Sequence[str], times: int, seed: int = 0, share: float = 0.2) -> Iterator[Split]:
    """`times` random splits: a share of the scenes tests, the others train."""
    names = sorted(set(scenes))
    count = max(1, round(share * len(names)))
    if count >= len(names):
        raise UsageError(f"{len(names)} scenes cannot be split; at least two are needed")
    rng = np.random.default_rng(seed)
    for i in range(times):
        order = rng.permutation(len(names))
        test = frozenset(names[j] for j in order[:count])
        yield Split(f"split {i + 1}", frozenset(names) - test, frozenset(), test)
