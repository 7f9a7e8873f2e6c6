"""hdrq evaluate: agreement of metrics with subjective scores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrq.cli import _complete
from hdrq.cli import _evaluate_output as _evaluated
from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.cli import tables as _tables
from hdrq.cli._cluster import spread_of
from hdrq.cli._notes import Notes
from hdrq.cli._numbers import SEED, Number
from hdrq.cli.app import note
from hdrq.errors import UsageError
from hdrq.registry import find

if TYPE_CHECKING:
    from hdrq.evaluation.api import Evaluation
    from hdrq.evaluation.archive import Dataset
    from hdrq.evaluation.statistics.agreement import Agreement

_PROTOCOLS = ("whole", "folds", "splits", "leave-one-out")
_FORMS = ("logistic5", "logistic4", "cubic", "line")
_MEANINGS = ("dist", "ref", "opinion", "spread", "scene", "distortion", "level", "low", "high")


@click.command(short_help="Compare metrics with subjective scores.")
@click.option(
    "--dataset",
    "dataset_names",
    multiple=True,
    metavar="NAME",
    shell_complete=_complete.of("dataset"),
    help="Dataset of images and subjective scores; may be repeated. See: hdrq list datasets.",
)
@click.option(
    "--data",
    "folders",
    multiple=True,
    metavar="DIR",
    help="Folder of the dataset, one for each --dataset.  [default: $HDRQ_DATA, then the current folder]",
)
@click.option("--subset", metavar="NAME", help="Evaluate this subset of the dataset only.")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC",
    shell_complete=_complete.metric,
    help="Metric to compute, or column of --scores; there, patterns such as 'PSNR*' are allowed.",
)
@click.option(
    "--scores",
    metavar="FILE.csv",
    help="Table of scores; with --dataset, missing scores are computed and added to it.",
)
@click.option(
    "--held-out",
    is_flag=True,
    help="Use only images of --dataset that the cards of the metrics' weights list as held out.",
)
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out these columns of --scores.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="MEANING=NAME",
    help=f"Name the column of --scores that holds: {', '.join(_MEANINGS)}.",
)
@click.option(
    "--lower/--higher",
    "lower",
    default=None,
    help="Whether higher or lower subjective scores are better, where no dataset states it.",
)
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default="whole",
    show_default=True,
    help="Whole set, 60-20-20 folds by scene, repeated random splits, or leave one distortion out.",
)
@click.option("--folds", type=Number(3, 10**6, whole=True), default=5, show_default=True)
@click.option(
    "--splits",
    type=Number(2, 10**6, whole=True),
    default=100,
    show_default=True,
    help="Number of random splits.",
)
@click.option(
    "--train-on",
    shell_complete=_complete.of("dataset"),
    metavar="NAME",
    help="Cross-dataset evaluation: fit the curves on this dataset.",
)
@click.option(
    "--fit",
    "form",
    type=click.Choice(_FORMS),
    default="logistic5",
    show_default=True,
    help="Curve fitted before PLCC and RMSE.",
)
@click.option(
    "--draws",
    type=Number(0, 10**6, whole=True),
    default=1000,
    show_default=True,
    help="Bootstrap samples of scenes, for the intervals; 0: no intervals.",
)
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["distortion", "level", "source", "split"]),
    help="Also evaluate each distortion, level or source, or each split of a table of predictions.",
)
@click.option(
    "--significance",
    metavar="FILE.csv",
    help="Write the significance tests of all pairs of metrics to this file.",
)
@click.option("--report", metavar="FILE.html", help="Write an HTML report with figures and thumbnails.")
@click.option("--plots", metavar="DIR", help="Write the figures to this folder, as PNG and PDF.")
@click.option("--resume", is_flag=True, help="Continue an interrupted --scores file (always done).")
@_options.light_options
@_options.working_option
@_options.side_options
@_options.viewing_options
@_options.device_option
@_options.cluster_option
@_options.output_options
def evaluate(**options: Any) -> None:
    """Compare metrics with subjective scores.

    \b
    hdrq evaluate --dataset livec --data livec/ -m niqe -m brisque --report out.html
    hdrq evaluate --dataset upiq --subset hdr -m pu-psnr -m hdrvdp3 --scores upiq.csv
    hdrq evaluate --scores values.csv --column opinion=MOS --lower -m 'PSNR*' -m SSIM
    hdrq evaluate --dataset csv --data manifest.csv -m ssim --protocol folds
    hdrq evaluate --dataset kadid --dataset tid2013 -m ssim -m vif
    """
    _evaluated.check_targets(options)
    options["notes"] = notes = Notes()
    click.get_current_context().call_on_close(notes.finish)
    with spread_of(options) as spread:
        _evaluate(options | {"spread": spread})


def _evaluate(options: dict[str, Any]) -> None:
    format = _tables.format_of(options["format_"], options["output"])
    names, folders = options.pop("dataset_names"), options.pop("folders")
    if len(folders) > max(len(names), 1) or (len(names) > 1 and folders and len(folders) != len(names)):
        raise UsageError(
            f"{len(folders)} --data for {len(names)} --dataset; give one folder for each dataset, or none"
        )
    if len(names) > 1:
        _several(names, folders, options, format)
        return
    name, folder = names[0] if names else "", folders[0] if folders else None
    dataset: Dataset | None = find("dataset", name) if name else None
    for option, value in (("data", folder), ("subset", options["subset"])) if dataset is None else ():
        if value is not None:
            raise UsageError(f"--{option} has no effect without --dataset; add the dataset, or leave it out")
    if dataset is not None and dataset.comparisons is not None and options["subset"] not in (None, "test"):
        if options["held_out"]:
            raise UsageError(
                f"--held-out is for subjective scores, and {dataset.name} has preferences; leave it out"
            )
        _preferences(dataset, folder, options, format)
        return
    found = _evaluated_on(name, folder, options)
    for text in found.notes:
        note(f"{_of(found)}{text}")
    drawing = bool(options["report"] or options["plots"])
    asked = ("distortion", "level", "source", "split") if drawing else options["by"]
    parts = [(kind, rows) for kind in asked if (rows := found.by(kind))]
    _evaluated.write(found, [p for p in parts if p[0] in options["by"]], options, format)
    if drawing:
        _evaluated.draw(found, parts, options, dataset)


def _evaluated_on(dataset: str, folder: str | None, options: dict[str, Any]) -> Evaluation:
    import hdrq

    return hdrq.evaluate(
        options["scores"],
        dataset=dataset,
        data=folder,
        metrics=options["metrics"],
        subset=options["subset"],
        exclude=options["exclude"],
        columns=dict(_column(text) for text in options["columns"]),
        lower=options["lower"],
        protocol=options["protocol"],
        train_on=options["train_on"] or "",
        fit=options["form"],
        draws=options["draws"],
        seed=options["seed"],
        folds=options["folds"],
        splits=options["splits"],
        held_out=options["held_out"],
        **_scoring(options),
    )


def _scoring(options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments that describe how images are scored."""
    from hdrq.scoring.batch import Settings

    chosen = {
        f"select{side and '_'}{side}": _options.selection_of(options, side) for side in ("", "ref", "dist")
    }
    return {
        "photometry": _options.photometry_of(options),
        "device": options["device"],
        "settings": Settings(jobs=2, **chosen),
        "own_ppd": all(options.get(key) is None for key in ("ppd", "screen", "diagonal", "distance")),
        "notify": options["notes"].add,
        "watch": lambda rows, total: _progress.bar(rows, total, "scoring"),
        "spread": options["spread"],
    }


def _of(found: Evaluation) -> str:
    return f"{found.sheet.name}: " if found.sheet.name else ""


def _several(names: tuple[str, ...], folders: tuple[str, ...], options: dict[str, Any], format: str) -> None:
    """Several datasets: one table of metrics by datasets, with averages."""
    from hdrq.evaluation.evaluate import averages

    for option in ("report", "plots", "significance", "train_on", "by", "subset"):
        if options[option]:
            raise UsageError(
                f"--{option.replace('_', '-')} is for one dataset; leave it out, or evaluate one at a time"
            )
    if options["protocol"] != "whole":
        raise UsageError(f"--protocol {options['protocol']} is for one dataset; evaluate one at a time")
    each: dict[str, list[Agreement]] = {}
    for i, name in enumerate(names):
        found = _evaluated_on(name, folders[i] if folders else None, options)
        for text in found.sheet.notes:
            note(f"{_of(found)}{text}")
        called = found.sheet.name
        each[called if called not in each else f"{called} ({i + 1})"] = list(found.rows)
    _evaluated.write_several(each, list(averages(each)), options["output"], format)


def _column(text: str) -> tuple[str, str]:
    meaning, sign, name = text.partition("=")
    if not sign or meaning not in _MEANINGS:
        raise UsageError(
            f"--column {text}: write MEANING=NAME, where MEANING is one of {', '.join(_MEANINGS)}"
        )
    return meaning, name


def _preferences(dataset: Dataset, folder: str | None, options: dict[str, Any], format: str) -> None:
    """The table for datasets of pairwise preferences."""
    from hdrq.evaluation.api import Asked, compare
    from hdrq.evaluation.evaluate import Plan

    path = Path(options["scores"]) if options["scores"] else None
    asked = Asked(
        dataset.name, folder, options["subset"], tuple(options["metrics"]), path, **_scoring(options)
    )
    rows = [asdict(p) for p in compare(asked, Plan(draws=options["draws"], seed=options["seed"]))]
    if format != "table":
        _tables.write_text(_tables.text_of(rows, format, list(rows[0])), options["output"])
        return
    heads = ["metric", "pairs", "accuracy", "95 %", "observers agreed with", "upper bound"]
    lines = []
    for r in rows:
        ends = f"{r['low']:.3f} … {r['high']:.3f}" if r["scenes"] > 1 else ""
        shares = (f"{r[name]:.4f}" for name in ("share", "ceiling"))
        lines.append([r["metric"], f"{r['comparisons']}", f"{r['accuracy']:.4f}", ends, *shares])
    _tables.show_table(
        heads, lines, f"{dataset.name}: pairwise preferences", heads[1:], output=options["output"]
    )
