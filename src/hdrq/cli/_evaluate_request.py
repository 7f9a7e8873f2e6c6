"""Options of hdrq evaluate as arguments of the API."""

from __future__ import annotations

from typing import Any

from hdrq.cli import _records
from hdrq.cli import progress as _progress
from hdrq.errors import UsageError

MEANINGS = ("dist", "ref", "mos", "spread", "scene", "distortion", "level", "low", "high")


def keywords(options: dict[str, Any]) -> dict[str, Any]:
    """Keywords that say what is scored, and how."""
    from hdrq.scoring.api import Settings

    chosen, ref, dist = (_records.selection_of(options, side) for side in ("", "ref", "dist"))
    return {
        "scores": options["scores"],
        "metrics": options["metrics"],
        "subset": options["subset"],
        "exclude": options["exclude"],
        "columns": dict(column(text) for text in options["columns"]),
        "lower": options["lower"],
        "held_out": options["held_out"],
        "photometry": _records.photometry_of(options),
        "device": options["device"],
        "settings": Settings(jobs=2, select=chosen, select_ref=ref, select_dist=dist),
        "own_ppd": all(options.get(key) is None for key in ("ppd", "screen", "diagonal", "distance")),
        "notify": options["notes"].add,
        "watch": lambda rows, total: _progress.bar(rows, total, "scoring"),
        "spread": options["spread"],
        "outputs": [options[key] for key in ("output", "report", "significance") if options.get(key)],
    }


def statistics(options: dict[str, Any]) -> dict[str, Any]:
    """Keywords of the protocol and the statistics."""
    names = ("protocol", "draws", "seed", "folds", "splits")
    return {name: options[name] for name in names} | {"fit": options["form"]}


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
