"""Figures that others have published, from a table, to stand beside those that are measured here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hdrq.errors import FileError, UsageError
from hdrq.evaluation.statistics.agreement import FIGURES, Agreement
from hdrq.evaluation.tables import iter_table, number

# group of a row that is about all images of the dataset
WHOLE = "all"


@dataclass(frozen=True)
class Published:
    """One row of the table: `dataset` is "" where it does not matter; `row.published` is the citation."""

    dataset: str
    row: Agreement


def read_published(path: Path) -> list[Published]:
    """The rows of a table with the columns metric, citation, and some of srocc, krocc, plcc, rmse; dataset, group, images.

    group  a distortion, a split, "average" ...; empty or "all" for all images
    Raises FileError where a column or a citation is missing, and for a row without a figure.
    """
    found: list[Published] = []
    for line, row in enumerate(iter_table(path, ("metric", "citation")), 2):
        held = {key.strip().casefold(): (text or "").strip() for key, text in row.items() if key}
        known = {name: _figure(held, name, f"{path}: line {line}, {name}") for name in FIGURES}
        if not held["metric"] or not held["citation"]:
            raise FileError(
                f"{path}: line {line} lacks the metric or its citation; state both for every published figure"
            )
        if not any(map(math.isfinite, known.values())):
            raise FileError(f"{path}: line {line} has no figure; fill one of {', '.join(FIGURES)}")
        images = int(number(held["images"], f"{path}: line {line}, images")) if held.get("images") else 0
        group = held.get("group") or WHOLE
        srocc, krocc, plcc, rmse = known.values()
        agreed = Agreement(
            held["metric"], group, images, 0, srocc, krocc, plcc, rmse, published=held["citation"]
        )
        found.append(Published(held.get("dataset", ""), agreed))
    return found


def _figure(held: Mapping[str, str], name: str, where: str) -> float:
    return number(held[name], where) if held.get(name) else math.nan


def published_of(
    path: str | Path, dataset: str, groups: Iterable[str], main: str
) -> tuple[tuple[Agreement, ...], tuple[str, ...]]:
    """(published rows of one dataset, notes on the rows that have no place in the table).

    groups  of the table, where a published row may stand;  main  the one in which a row about all images stands
    """
    rows = [p.row for p in read_published(Path(path)) if p.dataset in ("", dataset)]
    known = {*groups, main, "average"}
    placed = [replace(a, group=main) if a.group == WHOLE else a for a in rows]
    fitting = tuple(a for a in placed if a.group in known)
    if not rows:
        raise UsageError(f"{path} has no published figures of {dataset}; correct its column dataset")
    lost = sorted({a.group for a in placed if a.group not in known})
    notes = (f"published figures of {', '.join(lost)} have no row beside them",) if lost else ()
    return fitting, notes


def published_by_dataset(path: str | Path, datasets: Sequence[str]) -> dict[str, list[Agreement]]:
    """Published rows about all images, for each dataset and average of a comparison; UsageError where there is none."""
    every = read_published(Path(path))
    found = {name: [p.row for p in every if p.dataset == name and p.row.group == WHOLE] for name in datasets}
    if not any(found.values()):
        raise UsageError(
            f"{path} has no published figures of {', '.join(datasets)}; name them in its column dataset, with the group "
            "empty"
        )
    return found


def beside(rows: Sequence[Agreement], published: Sequence[Agreement]) -> list[Agreement]:
    """Rows with the published ones of each group after those that were measured."""
    out: list[Agreement] = []
    for group in dict.fromkeys(a.group for a in rows):
        out += [a for a in rows if a.group == group]
        out += [a for a in published if a.group == group]
    return out


def marks_of(rows: Iterable[Agreement]) -> dict[str, str]:
    """{citation: "[1]"} in the order in which they appear."""
    cited = dict.fromkeys(a.published for a in rows if a.published)
    return {citation: f"[{i}]" for i, citation in enumerate(cited, 1)}


def title_of(row: Agreement, marks: Mapping[str, str]) -> str:
    """The metric, with the mark of its citation where its figures are published ones."""
    return f"{row.metric} {marks[row.published]}" if row.published else row.metric


def lines_of(marks: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each citation."""
    return tuple(f"{mark} published, not measured here: {citation}" for citation, mark in marks.items())
