"""The result of an evaluation: rows for a table, significance tests, breakdowns, figures and a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hdrq.errors import UsageError
from hdrq.evaluation import evaluate as engine
from hdrq.evaluation.archive import Dataset
from hdrq.evaluation.evaluate import Plan
from hdrq.evaluation.merged_ratings import MergedRatings, merge_ratings
from hdrq.evaluation.published import beside
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.report.paper_tables import (
    PaperTable,
    averaged,
    of_datasets,
    of_metrics,
    paper_text,
    transposed,
)
from hdrq.evaluation.significance import PairedTest, paired_tests, resolving
from hdrq.evaluation.statistics.agreement import Agreement

FIGURES = ("srocc", "krocc", "plcc", "rmse")
BREAKDOWNS = {
    "distortion": engine.by_distortion,
    "level": engine.by_level,
    "source": engine.by_subset,
    "split": engine.by_split,
}


@dataclass(frozen=True)
class Evaluation:
    """The result: `rows` ordered by agreement, `table` for a data frame, and further analyses on request.

    ratings     subjective scores and metric values of all images
    protocol  of the rows
    dataset   and its subset, where there is one
    published rows of others that stand beside them, by their group
    """

    ratings: Ratings
    rows: tuple[Agreement, ...]
    protocol: str
    plan: Plan
    dataset: Dataset | None = None
    subset: str | None = None
    published: tuple[Agreement, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def table(self) -> list[dict[str, Any]]:
        """The rows with intervals as dictionaries: `pandas.DataFrame(found.table)`."""
        return self.table_of(self.shown, self.protocol)

    def table_of(self, rows: Iterable[Agreement], protocol: str, by: str = "") -> list[dict[str, Any]]:
        """Rows as dictionaries; a column `published` has the citations where there are published figures."""
        more = bool(self.published)
        return [
            flat(row, self.ratings, protocol, by) | ({"published": row.published} if more else {})
            for row in rows
        ]

    @property
    def shown(self) -> list[Agreement]:
        """The rows, each group followed by what others have published of it."""
        return beside(self.rows, self.published)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on images left out, directions inverted and values assumed."""
        own = (f"{row.metric}, {row.group}: {row.note}" for row in self.rows if row.note)
        return (*self.ratings.notes, *self.remarks, *own)

    @cached_property
    def whole(self) -> list[Agreement]:
        """The rows of the protocol "whole"."""
        if self.protocol == "whole":
            return list(self.rows)
        return list(engine.evaluate(self.ratings, "whole", self.plan))

    @cached_property
    def significance(self) -> list[PairedTest]:
        """Significance tests of all pairs of metrics."""
        return paired_tests(self.ratings, self.plan)

    @property
    def parts(self) -> set[str]:
        """Names of distortions, levels, sources and splits, by which the images may be broken down."""
        names = {name for p in self.ratings.pairs for name in engine.parts_of(p)}
        return names - {""}

    @cached_property
    def _by(self) -> dict[str, list[Agreement]]:
        return {}

    def by(self, kind: str) -> list[Agreement]:
        """Rows by "distortion", "level", "source" or "split"; empty where the dataset has only one."""
        if kind not in BREAKDOWNS:
            raise UsageError(f"unknown breakdown '{kind}'; choose one of {', '.join(BREAKDOWNS)}")
        if kind not in self._by:
            self._by[kind] = list(BREAKDOWNS[kind](self.ratings, self.plan))
        return self._by[kind]

    def breakdowns(self, kinds: Iterable[str] = ()) -> list[tuple[str, list[Agreement]]]:
        """(kind, rows) of each kind that the images have; without kinds, of every one."""
        return [(kind, rows) for kind in kinds or BREAKDOWNS if (rows := self.by(kind))]

    def paper_table(self, format: str, kinds: Iterable[str] = (), transpose: str = "") -> str:
        """The rows as "latex" or "markdown", followed by those of breakdowns.

        transpose  a statistic such as "srocc": a column for each metric, and a row for each group
        """
        return paper_text(self.transposed(transpose, kinds) if transpose else self._printed(kinds), format)

    def _printed(self, kinds: Iterable[str]) -> PaperTable:
        more = [row for kind in kinds for row in self.by(kind)]
        return of_metrics(beside([*self.rows, *more], self.published), self._caption)

    @property
    def _caption(self) -> str:
        return f"{self.ratings.name}: {self.rows[0].images} images, {self.rows[0].scenes} scenes"

    def transposed(self, statistic: str, kinds: Iterable[str] = ()) -> PaperTable:
        """A column for each metric and a row for each group, of one statistic; breakdowns end with their average."""
        groups: dict[str, Sequence[Agreement]] = {}
        several = len(tuple(kinds)) > 1
        for kind, rows in (("", self.rows), *((kind, self.by(kind)) for kind in kinds)):
            own = beside(rows, self.published)
            parts = {g: [a for a in own if a.group == g] for g in dict.fromkeys(a.group for a in own)}
            mean = f"average by {kind}" if several else "average"
            groups |= parts if kind in ("", "split") else averaged(parts, mean)
        return transposed(groups, statistic, "group", self._caption)

    def write_figures(self, folder: str | Path) -> list[Path]:
        """Write scatter plots, residuals, a histogram and breakdowns as PNG and PDF."""
        from hdrq.evaluation.report import figures

        drawn = {f"scatter {a.metric}": figures.scatter(self.ratings, a) for a in self.whole}
        for a in self.whole:
            if (figure := figures.residuals(self.ratings, a)) is not None:
                drawn[f"residuals {a.metric}"] = figure
        drawn["histogram of subjective scores"] = figures.histogram(self.ratings)
        for kind, own in self.breakdowns():
            if (figure := figures.breakdown(own, [a.metric for a in self.whole])) is not None:
                drawn[f"srocc by {kind}"] = figure
        return figures.save(drawn, Path(folder))

    def page(self, command: str = "") -> str:
        """The report as HTML, with all analyses; command: how it was made."""
        from hdrq.evaluation.report.page import ReportContents, page

        known = self.dataset is not None and not self.dataset.of_user
        title = self.dataset.title if self.dataset is not None and known else self.ratings.name
        about = f"{self.dataset.scale}; {self.dataset.home}" if self.dataset is not None and known else ""
        return page(
            ReportContents(
                ratings=self.ratings,
                title=f"{title}{', ' + self.subset if self.subset else ''}",
                whole=self.whole,
                protocol=() if self.protocol == "whole" else self.rows,
                breakdowns=self.breakdowns(),
                paired_tests=self.significance,
                resolving=resolving(self.ratings, self.plan),
                command=command,
                about=about,
                published=[a for a in self.published if a.group == self.rows[-1].group],
            )
        )


@dataclass(frozen=True)
class DatasetComparison:
    """Metrics on several datasets. Datasets with one name are numbered.

    averages  means over the datasets: "average", "weighted average" by number of images, and by given weights
    published rows of others, by dataset or average
    """

    each: Mapping[str, Evaluation]
    averages: tuple[Agreement, ...]
    published: Mapping[str, Sequence[Agreement]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Sequence[Agreement]]:
        """The rows of each dataset, then those of each average."""
        groups = dict.fromkeys(a.group for a in self.averages)
        means = {group: [a for a in self.averages if a.group == group] for group in groups}
        measured = {**{name: found.rows for name, found in self.each.items()}, **means}
        return {name: [*rows, *self.published.get(name, ())] for name, rows in measured.items()}

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each dataset or average and metric."""
        return [
            {"dataset": name, "metric": a.metric, "images": a.images, "scenes": a.scenes}
            | {figure: getattr(a, figure) for figure in FIGURES}
            | ({"published": a.published} if self.published else {})
            for name, rows in self.columns.items()
            for a in rows
        ]

    def paper_table(self, format: str, transpose: str = "") -> str:
        """Metrics by datasets, SROCC and PLCC, as "latex" or "markdown".

        transpose  a statistic such as "srocc": a column for each metric, and a row for each dataset
        """
        return paper_text(self.transposed(transpose) if transpose else of_datasets(self.columns), format)

    def merged_ratings(self, anchor: str = "") -> MergedRatings:
        """The subjective scores of all datasets on the scale of `anchor` (by default the first), as one table."""
        return merge_ratings({name: found.ratings for name, found in self.each.items()}, anchor)

    def transposed(self, statistic: str) -> PaperTable:
        """A column for each metric and a row for each dataset and average, of one statistic."""
        return transposed(self.columns, statistic, "dataset")


def flat(row: Agreement, ratings: Ratings, protocol: str, by: str = "") -> dict[str, Any]:
    """One row of a table: statistics, their intervals, and how they were obtained."""
    out: dict[str, Any] = {
        "dataset": ratings.name,
        "protocol": protocol,
        "by": by,
        "group": row.group,
        "metric": row.metric,
        "images": row.images,
        "scenes": row.scenes,
    }
    for name in FIGURES:
        low, high = row.intervals.get(name, (None, None))
        out |= {name: getattr(row, name), f"{name}_low": low, f"{name}_high": high}
    return out | {"outliers": row.outliers, "fit": row.curve.form if row.curve else "", "note": row.note}
