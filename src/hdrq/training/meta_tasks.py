"""Tasks of meta-learning: the images of one distortion, divided into a support and a query set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from hdrq.errors import UsageError
from hdrq.training.batches import Item
from hdrq.training.overrides import scalar
from hdrq.training.settings import Settings


@dataclass(frozen=True)
class Meta:
    """Settings of meta-learning, `meta` of the training settings.

    outer    "tasks": once per mini-batch of tasks, by `rate` of the way to the mean of the final copies (the paper);
             "batches": after every batch, by 1/tasks of the way, where copies start from the meta parameters of
             `tasks` batches ago (the program, whose Adam state is kept across tasks and which saves the last copy)
    tasks    number of tasks in a mini-batch
    inner    steps on the support set; the program passes over all of it once
    query_steps  steps on the query set after the support set ("tasks" only)
    rate     learning rate of the outer step; it follows the same schedule as the inner one
    support  share of a task's images in the support set;  query  images per query batch
    drawn_to direction of the outer step: "start" is copy - start, as in the program's loop over TID2013;
    "meta" is copy - meta, as in its loop over KADID
    most     largest number of tasks used, 0 for all
    """

    outer: str = "tasks"
    tasks: int = 5
    inner: int = 6
    query_steps: int = 1
    rate: float = 1e-2
    support: float = 0.8
    query: int = 50
    drawn_to: str = "start"
    most: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Meta:
        """The settings of meta-learning of a training; UsageError for unknown ones and impossible values."""
        known = {f.name for f in fields(cls)}
        if unknown := set(settings.meta) - known:
            raise UsageError(
                f"meta-learning has no setting '{min(unknown)}'; it has {', '.join(sorted(known))}"
            )
        usual = cls()
        given: dict[str, Any] = {}
        for key, value in settings.meta.items():
            old = getattr(usual, key)
            given[key] = str(value) if isinstance(old, str) else scalar(old, value, f"meta.{key}")
        meta = cls(**given)
        if meta.outer not in ("tasks", "batches") or meta.drawn_to not in ("start", "meta"):
            raise UsageError("meta.outer is tasks or batches, meta.drawn_to is start or meta")
        if min(meta.tasks, meta.inner, meta.query_steps) < 1 or not 0 < meta.support < 1:
            raise UsageError(
                "meta.tasks, meta.inner and meta.query_steps are at least 1, meta.support is a share below 1"
            )
        if meta.query < 2 or meta.most < 0 or not 0 < meta.rate < float("inf"):
            raise UsageError("meta.query is at least 2 images, meta.most at least 0, meta.rate positive")
        return meta


def tasks_of(items: Sequence[Item], least: int = 4) -> dict[str, list[Item]]:
    """Items by distortion; distortions with too few images for a support and a query set are left out."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.distortion, []).append(item)
    tasks = {name: rows for name, rows in sorted(found.items()) if name and len(rows) >= least}
    if len(tasks) < 2:
        raise UsageError(
            "meta-learning needs at least two distortions, but this dataset does not name them; add a column distortion"
        )
    return tasks


def outer_steps(settings: Settings, items: Sequence[Item]) -> tuple[int, int]:
    """(outer steps per epoch, batches per outer step)."""
    meta, tasks = Meta.of(settings), list(tasks_of(items).values())
    tasks = tasks[: meta.most or None]
    if meta.outer == "tasks":
        return -(-len(tasks) // meta.tasks), len(tasks) * (meta.inner + meta.query_steps)
    return len(tasks), sum(
        2 * len(chunks(_parts(len(rows), meta.support)[0], settings.batch)) for rows in tasks
    )


def _parts(count: int, share: float) -> tuple[list[int], list[int]]:
    cut = min(max(round(share * count), 2), count - 2)
    return list(range(cut)), list(range(cut, count))


def split(rows: list[Item], share: float, random: torch.Generator) -> tuple[list[Item], list[Item]]:
    """(support, query), drawn per image as in the program; at least two of each."""
    order = torch.randperm(len(rows), generator=random).tolist()
    support, query = _parts(len(rows), share)
    return [rows[order[i]] for i in support], [rows[order[i]] for i in query]


def chunks(rows: Sequence[Any], size: int) -> list[list[Any]]:
    """Batches in order; a last batch of one image is dropped, because batch normalisation cannot train on it."""
    cut = [list(rows[i : i + size]) for i in range(0, len(rows), size)]
    return cut[:-1] if len(cut) > 1 and len(cut[-1]) < 2 else cut
