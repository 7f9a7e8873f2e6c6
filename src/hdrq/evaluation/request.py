"""The request for an evaluation, and the subjective scores and metric values that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, locate
from hdrq.evaluation.dataset_scores import Notify, Watch, scored, silent, without_progress
from hdrq.evaluation.held_out import pairs_to_test
from hdrq.evaluation.ratings import Ratings, join, ratings
from hdrq.evaluation.score_table import read_scores
from hdrq.io.outputs import refuse_listed
from hdrq.io.remote import exists
from hdrq.records import Pair
from hdrq.registry import find
from hdrq.scoring.batch import Settings
from hdrq.scoring.request import split_requests
from hdrq.work import Spread


@dataclass(frozen=True)
class EvaluationRequest:
    """The arguments of an evaluation.

    dataset   name of a dataset, "" for none;  data  its folder;  subset  of it
    metrics   to compute, or columns of `scores`, where patterns such as "PSNR*" are allowed
    scores    table of scores; with a dataset, missing scores are computed and added to it
    exclude   columns of `scores` to leave out;  columns  {"mos": "MOS"}: column names by meaning
    lower     whether lower subjective scores are better, where no dataset states it
    own_ppd   whether images that state a resolution (ppd) are viewed at it
    held_out  whether to use only images that the cards of the metrics' weights list as held out
    outputs   files that the caller will write; none may be an image of the dataset
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
    watch: Watch = without_progress
    spread: Spread | None = None
    held_out: bool = False
    outputs: tuple[str | Path, ...] = ()


def request_of(
    scores: str | Path | None = None,
    *,
    dataset: str = "",
    subset: str | None = None,
    metrics: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    photometry: Photometry | None = None,
    settings: Settings | None = None,
    outputs: str | Path | Sequence[str | Path] = (),
    **others: Any,
) -> EvaluationRequest:
    """The arguments of `hdrq.evaluate` that say what is scored, and how; `dataset` may name a subset, as in upiq:hdr."""
    name, part = named(dataset, subset)
    if not name and (others.get("data") is not None or subset is not None):
        option = "subset" if others.get("data") is None else "data"
        raise UsageError(f"--{option} has no effect without --dataset; add the dataset, or leave it out")
    return EvaluationRequest(
        dataset=name,
        subset=part,
        metrics=(metrics,) if isinstance(metrics, str) else tuple(metrics),
        scores=None if scores is None else Path(scores),
        exclude=(exclude,) if isinstance(exclude, str) else tuple(exclude),
        columns=columns or {},
        photometry=photometry or Photometry(),
        settings=settings or Settings(jobs=2),
        outputs=(outputs,) if isinstance(outputs, str | Path) else tuple(outputs),
        **others,
    )


def named(text: str, subset: str | None = None) -> tuple[str, str | None]:
    """(dataset, subset) of NAME or NAME:SUBSET; UsageError where the text and the argument both name a subset."""
    name, colon, part = text.partition(":")
    if colon and subset:
        raise UsageError(f"--dataset {text} and --subset {subset} both name a subset; keep one")
    return name, part or subset


def ratings_of(request: EvaluationRequest) -> Ratings:
    """Subjective scores and metric values, from a dataset, a table, or both."""
    path, toward = request.scores, {True: "lower", False: "higher", None: ""}[request.lower]
    if not request.dataset:
        if request.held_out:
            raise UsageError(
                "--held-out needs the dataset that the weights were trained on; name it with --dataset"
            )
        if path is None:
            raise UsageError(
                "nothing to evaluate; give --dataset NAME, or --scores FILE.csv with a column of subjective scores"
            )
        table = read_scores(path, request.metrics, request.exclude, dict(request.columns))
        toward = toward or table.mos_better
        return ratings(table.pairs(), table.values, table.better, name=path.stem, mos_better=toward)
    dataset, root, every = images_of(request)
    pairs = [p for p in every if p.mos is not None]
    absent = len(every) - len(pairs)
    unscored = (
        [f"{absent} of {len(every)} images have no subjective score and are excluded"] if absent else []
    )
    if not pairs:
        raise UsageError(
            f"{dataset.name} has no subjective scores ({dataset.scale}), so no metric can be evaluated on it"
        )
    name = Path(request.data).stem if dataset.of_user and request.data else dataset.name
    if path is not None and exists(path) and not computable(request.metrics):
        table = read_scores(path, request.metrics, request.exclude, dict(request.columns))
        named = join(pairs, dict.fromkeys(n for column in table.values.values() for n in column))
        values = {m: {named[n]: v for n, v in c.items() if n in named} for m, c in table.values.items()}
        pairs, notes = pairs_to_test(
            pairs, list(values), request.held_out, dataset=dataset, root=root, data=request.data
        )
        found = ratings(pairs, values, table.better, name=name, dataset=dataset, mos_better=toward)
        return replace(found, notes=(*unscored, *notes, *found.notes))
    if not request.metrics:
        raise UsageError("no metric is given; add -m pu-psnr, and see: hdrq list metrics")
    pairs, notes = pairs_to_test(
        pairs,
        list(map(str, split_requests(request.metrics))),
        request.held_out,
        dataset=dataset,
        root=root,
        data=request.data,
    )
    values, better = computed(pairs, request)
    found = ratings(pairs, values, better, name=name, dataset=dataset, mos_better=toward)
    return replace(found, notes=(*unscored, *notes, *found.notes))


def images_of(request: EvaluationRequest) -> tuple[Dataset, Path, list[Pair]]:
    """The request's dataset, its folder, and its images; UsageError where an output is one of them, under whatever name."""
    dataset: Dataset = find("dataset", request.dataset)
    root = locate(dataset, request.data)
    pairs = list(dataset.pairs(root, request.subset))
    refuse_listed(
        (request.scores, *request.outputs), (path for pair in pairs for path in (pair.ref, pair.dist))
    )
    return dataset, root, pairs


def computable(metrics: Sequence[str]) -> bool:
    """Whether metrics are given and all of them are hdrq's, rather than columns of a table."""
    try:
        return bool(metrics) and bool(split_requests(tuple(metrics)))
    except UsageError:
        return False


def computed(
    pairs: list[Pair], request: EvaluationRequest
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """({metric: {image: value}}, {metric: direction}), by scoring."""
    settings = replace(request.settings, device=request.device)
    values: dict[str, dict[str, float]] = {}
    better = {}
    for row in scored(
        pairs,
        request.metrics,
        request.photometry,
        settings,
        request.scores,
        request.own_ppd,
        request.notify,
        request.watch,
        request.spread,
    ):
        value = row["value"] if row["status"] == "ok" and row["value"] is not None else float("nan")
        values.setdefault(row["metric"], {})[row["dist"]] = float(value)
        better[row["metric"]] = row["better"]
    return values, better
