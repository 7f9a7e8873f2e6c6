"""What others use of evaluation: agreement of metrics with subjective scores, with preferences, and with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hdrq.arguments import checked
from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.evaluation import evaluate as engine
from hdrq.evaluation.archive import state
from hdrq.evaluation.codes import Codes, codes_of, write_code_figures
from hdrq.evaluation.correlations import Pairing, correlations, direction_of
from hdrq.evaluation.dataset_scores import Notify, Watch, silent, without_progress
from hdrq.evaluation.evaluate import PLAN, Plan
from hdrq.evaluation.merged_ratings import COLUMNS as MERGED_COLUMNS
from hdrq.evaluation.merged_ratings import MergedRatings
from hdrq.evaluation.preferences import Preference
from hdrq.evaluation.preferences import preferences as accuracies
from hdrq.evaluation.published import (
    beside,
    lines_of,
    marks_of,
    published_by_dataset,
    published_of,
    title_of,
)
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.report.paper_tables import Cell, PaperTable, paper_text
from hdrq.evaluation.report.tables import best, not_significantly_worse
from hdrq.evaluation.request import computable, computed, images_of, named, ratings_of, request_of
from hdrq.evaluation.result import DatasetComparison, Evaluation, flat
from hdrq.evaluation.score_table import read_scores
from hdrq.evaluation.significance import PairedTest
from hdrq.evaluation.statistics.agreement import Agreement
from hdrq.io.remote import exists
from hdrq.registry import find
from hdrq.scoring.batch import Settings
from hdrq.work import Spread

__all__ = [
    "MERGED_COLUMNS",
    "Agreement",
    "Cell",
    "Codes",
    "Correlations",
    "DatasetComparison",
    "Evaluation",
    "MergedRatings",
    "PairedTest",
    "Pairing",
    "PaperTable",
    "Preference",
    "Ratings",
    "beside",
    "best",
    "codes_of",
    "correlate",
    "evaluate",
    "evaluate_datasets",
    "flat",
    "has_preferences",
    "lines_of",
    "marks_of",
    "not_significantly_worse",
    "paper_text",
    "preferences",
    "state",
    "title_of",
    "write_code_figures",
]


@checked
def evaluate(
    scores: str | Path | None = None,
    *,
    dataset: str = "",
    data: str | Path | None = None,
    metrics: str | Sequence[str] = (),
    subset: str | None = None,
    exclude: str | Sequence[str] = (),
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
    device: str | torch.device = "auto",
    settings: Settings | None = None,
    own_ppd: bool = True,
    notify: Notify = silent,
    watch: Watch = without_progress,
    spread: Spread | None = None,
    held_out: bool = False,
    outputs: str | Path | Sequence[str | Path] = (),
    published: str | Path | None = None,
) -> Evaluation:
    """Agreement of metrics with subjective scores.

        found = hdrq.evaluate(dataset="livec", data="livec/", metrics=["niqe", "brisque"])
        found.table, found.significance, found.by("distortion")

    scores    table of scores with a column of subjective scores; with a dataset, missing scores are computed and added
    dataset   name of a dataset (`hdrq.names("dataset")`), NAME or NAME:SUBSET; data: its folder, default $HDRQ_DATA
    metrics   to compute, or columns of `scores`; exclude: columns to leave out; columns: {"mos": "MOS"}, by meaning
    lower     whether lower subjective scores are better, where no dataset states it
    protocol  whole, folds, splits or leave-one-out;  train_on: dataset on which the curves are fitted
    fit       curve before PLCC and RMSE: logistic5, logistic4, cubic, line;  draws: bootstrap samples, 0 for no intervals
    settings  which image of a file is read, and how they are scored; device counts before its own
    own_ppd   whether images that state a resolution (ppd) are viewed at it
    notify    called with each line for the user;  watch: wraps the iterator of scores, for a progress bar
    spread    divides the scoring among other processes (`hdrq.connect`)
    held_out  use only images that the cards of the metrics' weights list as held out
    outputs   files that the caller will write, refused where one is an image of the dataset
    published table of figures of others, shown beside: columns metric, citation, srocc ..., and where needed dataset, group

    Raises UsageError where there is nothing to evaluate, MissingPart or FileError where data are missing.
    """
    request = request_of(
        scores, dataset=dataset, data=data, metrics=metrics, subset=subset, exclude=exclude, columns=columns, lower=lower,
        photometry=photometry, device=str(device), settings=settings, own_ppd=own_ppd, notify=notify, watch=watch, spread=spread,
        held_out=held_out, outputs=outputs,
    )  # fmt: skip
    plan = Plan(fit, draws, seed, folds, splits)
    for name, given in (("folds", folds), ("splits", splits)):
        if protocol != name and given != getattr(PLAN, name):
            raise UsageError(f"--{name} has no effect without --protocol {name}")
    found = ratings_of(request)
    if train_on:
        other = ratings_of(replace(request, dataset=train_on, subset=None, held_out=False))
        rows, protocol = tuple(engine.across(other, found, plan)), "across"
    else:
        rows = tuple(engine.evaluate(found, protocol, plan))
    described = find("dataset", request.dataset) if request.dataset else None
    made = Evaluation(found, rows, protocol, plan, described, request.subset)
    if published is None:
        return made
    groups = {a.group for a in rows} | made.parts
    cited, remarks = published_of(published, _name_of(made), groups, rows[-1].group)
    return replace(made, published=cited, remarks=remarks)


def _name_of(found: Evaluation) -> str:
    """NAME or NAME:SUBSET of what was evaluated."""
    return ":".join(filter(None, (found.ratings.name, found.subset)))


@checked
def evaluate_datasets(
    datasets: Sequence[str],
    *,
    data: Sequence[str | Path] = (),
    weights: Mapping[str, float] | None = None,
    published: str | Path | None = None,
    **options: Any,
) -> DatasetComparison:
    """`evaluate` on each of several datasets, NAME or NAME:SUBSET, and averages over them.

    data     folders of the datasets, one for each, or none
    weights  of the datasets by name, for a further average
    published table of figures of others; its column dataset has the names of the columns here
    options  of `evaluate`
    """
    if data and len(data) != len(datasets):
        raise UsageError(
            f"{len(data)} --data for {len(datasets)} --dataset; give one folder for each dataset, or none"
        )
    each: dict[str, Evaluation] = {}
    for i, text in enumerate(datasets):
        found = evaluate(dataset=text, data=data[i] if data else None, **options)
        name = _name_of(found)
        each[name if name not in each else f"{name} ({i + 1})"] = found
    means = engine.averages({name: list(found.rows) for name, found in each.items()}, weights)
    made = DatasetComparison(each, tuple(means))
    if published is None:
        return made
    return replace(made, published=published_by_dataset(published, list(made.columns)))


@dataclass(frozen=True)
class Correlations:
    """Correlations between metrics, and the metrics for which "higher is better" is an assumption."""

    rows: tuple[Pairing, ...]
    assumed: tuple[str, ...]


@checked
def correlate(scores: str | Path | None = None, **options: Any) -> Correlations:
    """Correlations between the metrics of a table of scores or on a dataset; subjective scores are not needed.

    options  of `evaluate` that say what is scored: dataset, data, metrics ...
    """
    request = request_of(scores, **options)
    if (
        request.scores is not None
        and exists(request.scores)
        and not (request.dataset and computable(request.metrics))
    ):
        table = read_scores(request.scores, request.metrics, request.exclude, dict(request.columns))
        values, better = table.values, table.better
    elif request.dataset and request.metrics:
        values, better = computed(images_of(request)[2], request)
    else:
        raise UsageError("nothing to correlate; give --scores FILE.csv, or --dataset NAME and metrics")
    assumed = tuple(m for m in values if not direction_of(m, better))
    return Correlations(tuple(correlations(values, better)), assumed)


def has_preferences(dataset: str, subset: str | None = None) -> bool:
    """Whether a dataset (NAME or NAME:SUBSET) states which of two images is preferred, in place of a score for each."""
    name, part = named(dataset, subset)
    return bool(name) and find("dataset", name).comparisons is not None and part not in (None, "test")


@checked
def preferences(
    scores: str | Path | None = None,
    *,
    dataset: str,
    draws: int = PLAN.draws,
    seed: int = PLAN.seed,
    **options: Any,
) -> list[Preference]:
    """Accuracy of metrics on a dataset of pairwise preferences, best first; options: see `correlate`."""
    request = request_of(scores, dataset=dataset, **options)
    if request.held_out:
        raise UsageError(
            f"--held-out is for subjective scores, and {request.dataset} has preferences; leave it out"
        )
    described, folder, pairs = images_of(request)
    compared = list(described.compared(folder, request.subset))
    values, better = computed(pairs, request)
    found = accuracies(compared, values, better, draws=draws, seed=seed)
    return sorted(found, key=lambda p: -p.accuracy)
