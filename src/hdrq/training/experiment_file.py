"""An experiment's file experiment.json, which holds its arguments for a later resumption, and its results: predictions of the
images left out, one row a split, and their aggregation.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import hdrq
from hdrq.errors import FileError, UsageError
from hdrq.evaluation.statistics.agreement import FIGURES, Agreement, agreement
from hdrq.io import atomic
from hdrq.io.rows import cell
from hdrq.nn.weight_files import read_card
from hdrq.training.request import TrainingRequest
from hdrq.training.splits import CrossDataset, Part

PREDICTIONS, ROWS, SUMMARY = "predictions.csv", "rows.csv", "summary.csv"
COLUMNS = (
    "dist",
    "ref",
    "metric",
    "value",
    "better",
    "mos",
    "mos_better",
    "scene",
    "distortion",
    "split",
    "test_set",
)
# images of a distortion in a split for a correlation of its own
_FEWEST = 4
Prediction = Mapping[str, str]
EXPERIMENT = "experiment.json"
# of "request", in files of version 0.1
_OLD_KEY = "asked"


@dataclass(frozen=True)
class SplitRow:
    """One split: how the weights that it trained agree with the subjective scores of the images it left out.

    test_set  dataset of these images;  trained, validated  numbers of images;  epoch  of the weights
    The curve before plcc and rmse is fitted to the test images, as in the papers.
    """

    split: str
    test_set: str
    trained: int
    validated: int
    images: int
    scenes: int
    srocc: float
    krocc: float
    plcc: float
    rmse: float
    epoch: int | None


@dataclass(frozen=True)
class Summary:
    """Mean, median and standard deviation of each figure over splits; `group` is "all" or a distortion.

    The deviation is that of a sample (n - 1), NaN for a single split.
    """

    test_set: str
    group: str
    splits: int
    images: int
    mean: Mapping[str, float]
    median: Mapping[str, float]
    sd: Mapping[str, float]

    @property
    def flat(self) -> dict[str, object]:
        """The fields as columns of one row."""
        kinds = {"mean": self.mean, "median": self.median, "sd": self.sd}
        own = {k: getattr(self, k) for k in ("test_set", "group", "splits", "images")}
        return own | {f"{figure}_{kind}": kinds[kind][figure] for figure in FIGURES for kind in kinds}


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write a table at once: the file is complete or absent."""
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows({k: cell(row[k]) for k in columns} for row in rows)


def read_csv(path: Path) -> list[Prediction]:
    """The rows of a table as text."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def split_rows(folder: Path, predictions: Sequence[Prediction]) -> list[SplitRow]:
    """A row for each test dataset, from the predictions of one split and the card in its folder."""
    card = read_card(next(p for p in sorted(folder.glob("*.json")) if p.with_suffix(".safetensors").exists()))
    epoch = card.results.get("epoch")
    rows = []
    for test_set in dict.fromkeys(p["test_set"] for p in predictions):
        own = [p for p in predictions if p["test_set"] == test_set]
        found = agreement_of(own)
        rows.append(
            SplitRow(
                own[0]["split"],
                test_set,
                int(card.training["source"]["images"]) + _labelled_target(card.training),
                int(card.training.get("held_out", {}).get("images", 0)),
                found.images,
                found.scenes,
                srocc=float(found.srocc),
                krocc=float(found.krocc),
                plcc=float(found.plcc),
                rmse=float(found.rmse),
                epoch=int(epoch) if epoch is not None else None,
            )
        )
    return rows


def _labelled_target(record: Mapping[str, dict[str, object]]) -> int:
    """Images of a labelled target that is another dataset than the source."""
    settings = record["settings"]
    alike = settings["target"] == settings["source"]
    images = record.get("target", {}).get("images", 0)
    return int(str(images)) if settings["target_labels"] and not alike else 0


def agreement_of(predictions: Sequence[Prediction], group: str = "all") -> Agreement:
    """Agreement of predictions with the subjective scores beside them."""
    first = predictions[0]
    return agreement(
        first["metric"],
        [float(p["value"]) for p in predictions],
        [float(p["mos"]) for p in predictions],
        sign=1 if first["better"] == first["mos_better"] else -1,
        scenes=[p["scene"] for p in predictions],
        group=group,
    )


def summaries(rows: Sequence[SplitRow], predictions: Sequence[Prediction]) -> list[Summary]:
    """Over all splits for each test dataset, then for each of its distortions where there are several."""
    found = []
    for test_set in dict.fromkeys(r.test_set for r in rows):
        own = [r for r in rows if r.test_set == test_set]
        found.append(_summary(test_set, "all", own))
        here = [p for p in predictions if p["test_set"] == test_set]
        kinds = [k for k in dict.fromkeys(p["distortion"] for p in here) if k]
        for kind in kinds if len(kinds) > 1 else ():
            each: dict[str, list[Prediction]] = {}
            for p in here:
                if p["distortion"] == kind:
                    each.setdefault(p["split"], []).append(p)
            parts = [agreement_of(some, kind) for some in each.values() if len(some) >= _FEWEST]
            found += [_summary(test_set, kind, parts)] if parts else []
    return found


def _summary(test_set: str, group: str, parts: Sequence[SplitRow | Agreement]) -> Summary:
    columns = {name: np.array([getattr(p, name) for p in parts], dtype=np.float64) for name in FIGURES}
    return Summary(
        test_set,
        group,
        len(parts),
        sum(p.images for p in parts),
        {k: float(v.mean()) for k, v in columns.items()},
        {k: float(np.median(v)) for k, v in columns.items()},
        {k: float(v.std(ddof=1)) if v.size > 1 else float("nan") for k, v in columns.items()},
    )


@dataclass(frozen=True)
class Experiment:
    """An experiment; at its end with its rows and their summaries.

    folder  experiment.json, predictions.csv, rows.csv, summary.csv, and a run folder for each split
    """

    name: str
    protocol: str
    folder: Path
    parts: tuple[Part, ...]
    test_sets: tuple[CrossDataset, ...]
    request: TrainingRequest
    repeats: int
    folds: int
    rows: tuple[SplitRow, ...] = ()
    summaries: tuple[Summary, ...] = ()

    @property
    def predictions(self) -> Path:
        """Table of all predictions, for `hdrq evaluate --scores`."""
        return self.folder / PREDICTIONS


def write_experiment(experiment: Experiment) -> None:
    """Write experiment.json."""
    experiment.folder.mkdir(parents=True, exist_ok=True)
    request = experiment.request
    values = asdict(request) | {"settings": dict(request.settings)}
    values["data"] = str(request.data.resolve()) if request.data is not None else None
    del values["output"]
    test_sets = [
        f"{j.name}{f':{j.subset}' if j.subset else ''}{f'={j.data}' if j.data else ''}"
        for j in experiment.test_sets
    ]
    held = {"hdrq": hdrq.__version__, "protocol": experiment.protocol, "repeats": experiment.repeats}
    held |= {"folds": experiment.folds, "test_sets": test_sets, "request": values}
    with atomic(experiment.folder / EXPERIMENT) as part:
        part.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_experiment(path: Path) -> dict[str, Any]:
    """The entries of experiment.json."""
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if _OLD_KEY in held:
            held["request"] = held.pop(_OLD_KEY)
        if not {"protocol", "repeats", "folds", "test_sets", "request"} <= set(held):
            raise ValueError("entries are missing")
        return held
    except (OSError, ValueError) as error:
        raise FileError(f"{path} does not hold an experiment ({error}); remove it") from error


def resumed(request: TrainingRequest, held: dict[str, Any], path: Path | None) -> TrainingRequest:
    """The arguments of the experiment in a folder; those given again must be the same."""
    before = TrainingRequest(
        **{**held["request"], "data": Path(held["request"]["data"]) if held["request"]["data"] else None}
    )
    for name in ("recipe", "variant", "metric", "dataset", "align", "target", "like"):
        if getattr(request, name) and getattr(request, name) != getattr(before, name):
            raise UsageError(
                f"{path} was begun with --{name} {getattr(before, name) or '(none)'}; leave it out to resume, or name "
                "another folder with -o"
            )
    if any(dict(before.settings).get(k) != v for k, v in dict(request.settings).items()):
        raise UsageError(
            f"{path} was begun with other settings; leave --set out to resume, or name another folder"
        )
    return replace(before, output=request.output, data=request.data or before.data)


def continued(held: dict[str, Any], protocol: str, repeats: int, path: Path | None) -> tuple[str, int]:
    """(protocol, repeats) of an experiment that goes on; random splits may become more, all else stays."""
    if protocol and protocol != held["protocol"]:
        raise UsageError(f"{path} was begun with --protocol {held['protocol']}; leave it out to resume")
    before = int(held["repeats"])
    if repeats and repeats != before and (held["protocol"] != "splits" or repeats < before):
        raise UsageError(f"{path} was begun with --repeats {before}; leave it out to resume")
    return str(held["protocol"]), repeats or before
