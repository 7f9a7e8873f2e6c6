"""Options of hdrq evaluate as arguments of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from hdrq.cli import _complete, _options, _progress, _records
from hdrq.cli._idle import Dependent, names_of, refuse_beside
from hdrq.cli._messages import note
from hdrq.errors import UsageError

MEANINGS = ("dist", "ref", "mos", "spread", "scene", "distortion", "level", "low", "high")


comparison_options = _options.stack(
    click.option(
        "--published",
        metavar="FILE.csv",
        help="Add figures that others have published, marked as such, from a table with the columns metric, citation, srocc, "
        "plcc ..., and where needed dataset and group.",
    ),
    click.option(
        "--transpose",
        type=click.Choice(["srocc", "krocc", "plcc", "rmse"]),
        help="Show one column for each metric and one row for each group or dataset, of this statistic.",
    ),
    click.option(
        "--merge-mos",
        metavar="FILE.csv",
        help="Write the images of several datasets with their subjective scores on one scale, found by the metrics or by "
        "common images, as a table to train on.",
    ),
    click.option(
        "--anchor",
        cls=Dependent,
        needs={"merge_mos": ()},
        metavar="NAME",
        help="With --merge-mos: the dataset whose scale is kept.  [default: the first]",
    ),
    click.option(
        "--codes",
        metavar="NET[@WEIGHTS]",
        shell_complete=_complete.metric,
        help="Draw the t-SNE of the network's codes of quality and content on the dataset, to the folder --plots.",
    ),
)


# Options that say how images are read, shown and computed.
READING = names_of(
    _options.light_options, _options.working_option, _options.side_options, _options.viewing_options
)
_SCORING = {
    *READING,
    "device",
    "cluster",
    "dataset_names",
    "folders",
    "subset",
    "metrics",
    "scores",
    "resume",
}
_SHOWN = {"output", "format_"}
# options of the tasks besides that of subjective scores of one dataset
_USED = {
    "--codes": {"codes", "dataset_names", "folders", "subset", "plots", "seed", "device"},
    "--correlations": {"correlations", "exclude", "columns", *_SCORING, *_SHOWN},
    "preferences": {"draws", "seed", *_SCORING, *_SHOWN},
    "several datasets": {
        *(
            "average_weights",
            "published",
            "transpose",
            "merge_mos",
            "anchor",
            "held_out",
            "exclude",
            "columns",
        ),
        *("lower", "form", "draws", "seed", "protocol", "folds", "splits"),
        *(*_SCORING, *_SHOWN),
    }
    - {"subset"},
}


def refuse_idle(task: str) -> None:
    """Refuse an option that a task does not use: one of `_USED`, or a text that ends with its name."""
    refuse_beside(task, next(used for name, used in _USED.items() if task.endswith(name)))


def draw_codes(names: Sequence[str], folders: Sequence[str], options: dict[str, Any]) -> None:
    """Figures of a network's codes on one dataset."""
    from hdrq.evaluation.api import codes_of, write_code_figures

    if len(names) != 1:
        raise UsageError("--codes needs one --dataset")
    if not options["plots"]:
        raise UsageError("--codes draws figures; name their folder with --plots")
    name, _, part = names[0].partition(":")
    found = codes_of(
        options["codes"],
        name,
        folders[0] if folders else None,
        part or options["subset"],
        options["device"],
    )
    written = write_code_figures(found, options["plots"], options["seed"])
    note(f"wrote {len(written)} figures of {len(found.scores)} images to {options['plots']}")


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
        "outputs": [
            options[key] for key in ("output", "report", "significance", "merge_mos") if options.get(key)
        ],
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
