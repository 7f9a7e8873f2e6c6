"""An experiment, and its file experiment.json, which holds its arguments for a later resumption."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import hdrq
from hdrq.errors import FileError, UsageError
from hdrq.io import atomic
from hdrq.training.experiment_results import PREDICTIONS, SplitRow, Summary
from hdrq.training.request import TrainingRequest
from hdrq.training.splits import CrossDataset, Part

EXPERIMENT = "experiment.json"
_OLD_KEY = "asked"  # of "request", in files of version 0.1


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
