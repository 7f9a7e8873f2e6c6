"""Options of hdrq evaluate as arguments of the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.errors import UsageError

if TYPE_CHECKING:
    from hdrq.evaluation.api import EvaluationRequest

MEANINGS = ("dist", "ref", "opinion", "spread", "scene", "distortion", "level", "low", "high")


def subset_of(text: str, options: dict[str, Any]) -> str:
    """The name of the dataset in NAME[:SUBSET]; the subset goes to the options."""
    name, colon, subset = text.partition(":")
    if colon and options["subset"]:
        raise UsageError(f"--dataset {text} and --subset {options['subset']} both name a subset; keep one")
    options["subset"] = subset or options["subset"]
    return name


def scoring(options: dict[str, Any]) -> dict[str, Any]:
    """Keywords of how images are scored."""
    from hdrq.scoring.batch import Settings

    chosen, ref, dist = (_options.selection_of(options, side) for side in ("", "ref", "dist"))
    return {
        "photometry": _options.photometry_of(options),
        "device": options["device"],
        "settings": Settings(jobs=2, select=chosen, select_ref=ref, select_dist=dist),
        "own_ppd": all(options.get(key) is None for key in ("ppd", "screen", "diagonal", "distance")),
        "notify": options["notes"].add,
        "watch": lambda rows, total: _progress.bar(rows, total, "scoring"),
        "spread": options["spread"],
    }


def request_of(dataset: str, folder: str | None, options: dict[str, Any]) -> EvaluationRequest:
    """What to score or read, as a record."""
    from hdrq.evaluation.api import EvaluationRequest

    return EvaluationRequest(
        dataset,
        folder,
        options["subset"],
        tuple(options["metrics"]),
        Path(options["scores"]) if options["scores"] else None,
        tuple(options["exclude"]),
        dict(column(text) for text in options["columns"]),
        **scoring(options),
    )


def column(text: str) -> tuple[str, str]:
    meaning, sign, name = text.partition("=")
    if not sign or meaning not in MEANINGS:
        raise UsageError(
            f"--column {text}: write MEANING=NAME, where MEANING is one of {', '.join(MEANINGS)}"
        )
    return meaning, name


def weights_of(text: str | None) -> dict[str, float]:
    """Weights of datasets from NAME=WEIGHT,..."""
    found: dict[str, float] = {}
    for part in filter(None, (text or "").split(",")):
        name, sign, weight = part.rpartition("=")
        try:
            found[name.strip()] = float(weight)
        except ValueError:
            sign = ""
        if not (sign and name.strip()):
            raise UsageError(f"--average-weights {text}: write NAME=WEIGHT,... such as koniq=0.25,livec=0.75")
    return found
