"""hdrq.evaluate: agreement of metrics with the subjective scores of a dataset, a table, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.evaluation import evaluate as engine
from hdrq.evaluation.archive import Dataset, locate
from hdrq.evaluation.correlations import Pairing, correlations, direction_of
from hdrq.evaluation.dataset_scores import Notify, Watch, scored, silent, unwatched
from hdrq.evaluation.evaluate import PLAN, Plan
from hdrq.evaluation.held_out import judged_pairs
from hdrq.evaluation.preferences import Preference, preferences
from hdrq.evaluation.ratings import Sheet, join, sheet
from hdrq.evaluation.score_table import read_scores
from hdrq.evaluation.significance import PairedTest, paired_tests
from hdrq.evaluation.statistics.agreement import Agreement
from hdrq.io.remote import exists
from hdrq.records import Pair
from hdrq.registry import find
from hdrq.scoring.batch import Settings
from hdrq.scoring.request import split_requests
from hdrq.work import Spread

FIGURES = ("srocc", "krocc", "plcc", "rmse")
_BREAKDOWNS = {
    "distortion": engine.by_distortion,
    "level": engine.by_level,
    "source": engine.by_subset,
    "split": engine.by_split,
}


@dataclass(frozen=True)
class EvaluationRequest:
    """The arguments of an evaluation.

    dataset   name of a dataset, "" for none;  data  its folder;  subset  of it
    metrics   to compute, or columns of `scores`, where patterns such as "PSNR*" are allowed
    scores    table of scores; with a dataset, missing scores are computed and added to it
    exclude   columns of `scores` to leave out;  columns  {"opinion": "MOS"}: column names by meaning
    lower     whether lower subjective scores are better, where no dataset states it
    own_ppd   whether images that state a resolution (ppd) are viewed at it
    held_out  whether to use only images that the cards of the metrics' weights list as held out
    """

    dataset: str = ""
    data: str | Path | None = None
    subset: str | None = None
    metrics: tuple[str, ...] = ()
    scores: Path | None = None
    exclude: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    lower: bool | None = None
    photometry: Photometry = field(default_factory=Photometry)
    device: str = "auto"
    settings: Settings = field(default_factory=lambda: Settings(jobs=2))
    own_ppd: bool = True
    notify: Notify = silent
    watch: Watch = unwatched
    spread: Spread | None = None
    held_out: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The result: `rows` ordered by agreement, `table` for a data frame, and further analyses on request.

    sheet     subjective scores and metric values of all images
    protocol  of the rows
    """

    sheet: Sheet
    rows: tuple[Agreement, ...]
    protocol: str
    plan: Plan

    @property
    def table(self) -> list[dict[str, Any]]:
        """The rows with intervals as dictionaries: `pandas.DataFrame(found.table)`."""
        return [flat(row, self.sheet, self.protocol) for row in self.rows]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on images left out, directions inverted and values assumed."""
        own = (f"{row.metric}, {row.group}: {row.note}" for row in self.rows if row.note)
        return (*self.sheet.notes, *own)

    @cached_property
    def whole(self) -> list[Agreement]:
        """The rows of the protocol "whole"."""
        if self.protocol == "whole":
            return list(self.rows)
        return list(engine.evaluate(self.sheet, "whole", self.plan))

    @cached_property
    def significance(self) -> list[PairedTest]:
        """Significance tests of all pairs of metrics."""
        return paired_tests(self.sheet, self.plan)

    def by(self, kind: str) -> list[Agreement]:
        """Rows by "distortion", "level", "source" or "split"; empty where the dataset has only one."""
        if kind not in _BREAKDOWNS:
            raise UsageError(f"unknown breakdown '{kind}'; choose one of {', '.join(_BREAKDOWNS)}")
        return list(_BREAKDOWNS[kind](self.sheet, self.plan))


def evaluate(
    scores: str | Path | None = None,
    *,
    dataset: str = "",
    data: str | Path | None = None,
    metrics: str | Sequence[str] = (),
    subset: str | None = None,
    exclude: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    lower: bool | None = None,
    protocol: str = "whole",
    train_on: str = "",
    fit: str = PLAN.form,
    draws: int = PLAN.draws,
    seed: int = PLAN.seed,
    folds: int = PLAN.folds,
    splits: int = PLAN.splits,
    photometry: Photometry | None = None,
    device: str = "auto",
    settings: Settings | None = None,
    own_ppd: bool = True,
    notify: Notify = silent,
    watch: Watch = unwatched,
    spread: Spread | None = None,
    held_out: bool = False,
) -> Evaluation:
    """Agreement of metrics with subjective scores.

        found = hdrq.evaluate(dataset="livec", data="livec/", metrics=["niqe", "brisque"])
        found.table, found.significance, found.by("distortion")

    scores    table of scores with a column of subjective scores; with a dataset, missing scores are computed and added
    dataset   name of a dataset (`hdrq.names("dataset")`); data: its folder, default $HDRQ_DATA; subset: of the dataset
    metrics   to compute, or columns of `scores`; exclude: columns to leave out; columns: {"opinion": "MOS"}, by meaning
    lower     whether lower subjective scores are better, where no dataset states it
    protocol  whole, folds, splits or leave-one-out;  train_on: dataset on which the curves are fitted
    fit       curve before PLCC and RMSE: logistic5, logistic4, cubic, line;  draws: bootstrap samples, 0 for no intervals
    settings  which image of a file is read, and how they are scored; device counts before its own
    own_ppd   whether images that state a resolution (ppd) are viewed at it
    notify    called with each line for the user;  watch: wraps the iterator of scores, for a progress bar
    spread    divides the scoring among other processes (`hdrq.cluster.connect.connected`)
    held_out  use only images that the cards of the metrics' weights list as held out

    Raises UsageError where there is nothing to evaluate, MissingPart or FileError where data are missing.
    """
    wanted = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    table = Path(scores) if scores is not None else None
    asked = EvaluationRequest(
        dataset, data, subset, wanted, table, tuple(exclude), columns or {}, lower, photometry or Photometry(), device,
        settings or Settings(jobs=2), own_ppd, notify, watch, spread, held_out,
    )  # fmt: skip
    plan = Plan(fit, draws, seed, folds, splits)
    judged = sheet_of(asked)
    if train_on:
        other = sheet_of(_replaced(asked, train_on))
        return Evaluation(judged, tuple(engine.across(other, judged, plan)), "across", plan)
    return Evaluation(judged, tuple(engine.evaluate(judged, protocol, plan)), protocol, plan)


def _replaced(asked: EvaluationRequest, dataset: str) -> EvaluationRequest:
    """The same arguments for the dataset on which curves are fitted."""
    return replace(asked, dataset=dataset, subset=None, held_out=False)


def flat(row: Agreement, sheet: Sheet, protocol: str, by: str = "") -> dict[str, Any]:
    """One row of a table: statistics, their intervals, and how they were obtained."""
    out: dict[str, Any] = {
        "dataset": sheet.name,
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


def sheet_of(asked: EvaluationRequest) -> Sheet:
    """Subjective scores and metric values, from a dataset, a table, or both."""
    path, toward = asked.scores, {True: "lower", False: "higher", None: ""}[asked.lower]
    if not asked.dataset:
        if asked.held_out:
            raise UsageError(
                "--held-out needs the dataset that the weights were trained on; name it with --dataset"
            )
        if path is None:
            raise UsageError(
                "nothing to evaluate; give --dataset NAME, or --scores FILE.csv with a column of subjective scores"
            )
        table = read_scores(path, asked.metrics, asked.exclude, dict(asked.columns))
        toward = toward or table.opinions_better
        return sheet(table.pairs(), table.values, table.better, name=path.stem, opinions_better=toward)
    dataset: Dataset = find("dataset", asked.dataset)
    root = locate(dataset, asked.data)
    pairs = list(dataset.pairs(root, asked.subset))
    if not any(p.opinion is not None for p in pairs):
        raise UsageError(
            f"{dataset.name} has no subjective scores ({dataset.scale}), so no metric can be evaluated on it"
        )
    if path is not None and exists(path) and not _computable(asked.metrics):
        table = read_scores(path, asked.metrics, asked.exclude, dict(asked.columns))
        named = join(pairs, dict.fromkeys(n for column in table.values.values() for n in column))
        values = {m: {named[n]: v for n, v in c.items() if n in named} for m, c in table.values.items()}
        pairs, notes = judged_pairs(
            pairs, list(values), asked.held_out, dataset=dataset, root=root, data=asked.data
        )
        found = sheet(pairs, values, table.better, name=dataset.name, dataset=dataset, opinions_better=toward)
        return replace(found, notes=(*notes, *found.notes))
    if not asked.metrics:
        raise UsageError("no metric is given; add -m pu-psnr, and see: hdrq list metrics")
    name = Path(asked.data).stem if dataset.of_user and asked.data else dataset.name
    pairs, notes = judged_pairs(
        [p for p in pairs if p.opinion is not None],
        list(map(str, split_requests(asked.metrics))),
        asked.held_out,
        dataset=dataset,
        root=root,
        data=asked.data,
    )
    values, better = _computed(pairs, asked)
    found = sheet(pairs, values, better, name=name, dataset=dataset, opinions_better=toward)
    return replace(found, notes=(*notes, *found.notes))


def correlate(asked: EvaluationRequest) -> tuple[list[Pairing], list[str]]:
    """(correlations between the metrics, metrics whose direction is assumed) of a table of scores or a dataset."""
    if (
        asked.scores is not None
        and exists(asked.scores)
        and not (asked.dataset and _computable(asked.metrics))
    ):
        table = read_scores(asked.scores, asked.metrics, asked.exclude, dict(asked.columns))
        values, better = table.values, table.better
    elif asked.dataset and asked.metrics:
        dataset: Dataset = find("dataset", asked.dataset)
        values, better = _computed(list(dataset.pairs(locate(dataset, asked.data), asked.subset)), asked)
    else:
        raise UsageError("nothing to correlate; give --scores FILE.csv, or --dataset NAME and metrics")
    return correlations(values, better), [m for m in values if not direction_of(m, better)]


def compare(asked: EvaluationRequest, plan: Plan = PLAN) -> list[Preference]:
    """Accuracy of metrics on a dataset of pairwise preferences, best first."""
    dataset: Dataset = find("dataset", asked.dataset)
    folder = locate(dataset, asked.data)
    compared = list(dataset.compared(folder, asked.subset))
    values, better = _computed(list(dataset.pairs(folder, asked.subset)), asked)
    found = preferences(compared, values, better, draws=plan.draws, seed=plan.seed)
    return sorted(found, key=lambda p: -p.accuracy)


def _computable(metrics: Sequence[str]) -> bool:
    """Whether metrics are given and all of them are hdrq's, rather than columns of a table."""
    try:
        return bool(metrics) and bool(split_requests(tuple(metrics)))
    except UsageError:
        return False


def _computed(
    pairs: list[Pair], asked: EvaluationRequest
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """({metric: {image: value}}, {metric: direction}), by scoring."""
    settings = replace(asked.settings, device=asked.device)
    values: dict[str, dict[str, float]] = {}
    better = {}
    for row in scored(
        pairs,
        asked.metrics,
        asked.photometry,
        settings,
        asked.scores,
        asked.own_ppd,
        asked.notify,
        asked.watch,
        asked.spread,
    ):
        value = row["value"] if row["status"] == "ok" and row["value"] is not None else float("nan")
        values.setdefault(row["metric"], {})[row["dist"]] = float(value)
        better[row["metric"]] = row["better"]
    return values, better
