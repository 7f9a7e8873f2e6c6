"""hdrq evaluate: agreement of metrics with subjective scores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrq.cli import _evaluate_output as _evaluated
from hdrq.cli import options as _options
from hdrq.cli import tables as _tables
from hdrq.cli.app import say
from hdrq.errors import UsageError
from hdrq.registry import find

if TYPE_CHECKING:
    from hdrq.evaluation.archive import Dataset
    from hdrq.evaluation.evaluate import Plan
    from hdrq.evaluation.ratings import Sheet
    from hdrq.evaluation.statistics.agreement import Agreement
    from hdrq.records import Pair

_PROTOCOLS = ("whole", "folds", "splits", "leave-one-out")
_FORMS = ("logistic5", "logistic4", "cubic", "line")
_MEANINGS = ("dist", "ref", "opinion", "spread", "scene", "distortion", "level", "low", "high")


@click.command(short_help="Compare metrics with subjective scores.")
@click.option(
    "--dataset",
    "dataset_names",
    multiple=True,
    metavar="NAME",
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
    help="Metric to compute, or column of --scores; patterns such as 'PSNR*' work.",
)
@click.option(
    "--scores",
    metavar="FILE.csv",
    help="Table of scores; with --dataset, missing scores are computed and added to it.",
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
    help="Direction of the subjective scores, where no dataset states it.",
)
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default="whole",
    show_default=True,
    help="Whole set, 60-20-20 folds by scene, repeated random splits, or leave one distortion out.",
)
@click.option("--folds", type=click.IntRange(min=3), default=5, show_default=True)
@click.option(
    "--splits", type=click.IntRange(min=2), default=100, show_default=True, help="Number of random splits."
)
@click.option("--train-on", metavar="NAME", help="Cross-dataset evaluation: fit the curves on this dataset.")
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
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Bootstrap samples of scenes, for the intervals; 0: no intervals.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["distortion", "level", "source"]),
    help="Also evaluate each distortion, level or source.",
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
@_options.viewing_options
@_options.device_option
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
    from hdrq.evaluation import evaluate as engine
    from hdrq.evaluation.significance import paired_tests

    plan = engine.Plan(
        options["form"], options["draws"], options["seed"], options["folds"], options["splits"]
    )
    format = _tables.format_of(options["format_"], options["output"])
    names, folders = options.pop("dataset_names"), options.pop("folders")
    if len(folders) > max(len(names), 1) or (len(names) > 1 and folders and len(folders) != len(names)):
        raise UsageError(
            f"{len(folders)} --data for {len(names)} --dataset; give one folder for each dataset, or none"
        )
    if len(names) > 1:
        _several(names, folders, options, plan, format)
        return
    options["data"] = folders[0] if folders else None
    dataset: Dataset | None = find("dataset", names[0]) if names else None
    if dataset is not None and _pairwise(dataset, options, plan, format):
        return
    sheet = _sheet(dataset, options)
    _say_notes(sheet)
    if options["train_on"]:
        other = find("dataset", options["train_on"])
        rows = list(engine.across(_sheet(other, options | {"subset": None}), sheet, plan))
    else:
        rows = list(engine.evaluate(sheet, options["protocol"], plan))
    for row in rows:
        if row.note:
            say(f"hdrq: note: {row.metric}, {row.group}: {row.note}")
    drawing = bool(options["report"] or options["plots"])
    asked = ("distortion", "level", "source") if drawing else options["by"]
    parts = _evaluated.breakdowns(sheet, asked, plan)
    told = paired_tests(sheet, plan)
    _evaluated.write(rows, [p for p in parts if p[0] in options["by"]], told, sheet, options, format)
    if drawing:
        _evaluated.draw(sheet, rows, parts, told, options, plan, dataset)


def _several(
    names: tuple[str, ...], folders: tuple[str, ...], options: dict[str, Any], plan: Plan, format: str
) -> None:
    """Several datasets: one table of metrics by datasets, with averages."""
    from hdrq.evaluation import evaluate as engine

    for option in ("report", "plots", "significance", "train_on", "by", "subset"):
        if options[option]:
            raise UsageError(
                f"--{option.replace('_', '-')} is for one dataset; leave it out, or evaluate one at a time"
            )
    if options["protocol"] != "whole":
        raise UsageError(f"--protocol {options['protocol']} is for one dataset; evaluate one at a time")
    found: dict[str, list[Agreement]] = {}
    for i, name in enumerate(names):
        sheet = _sheet(find("dataset", name), options | {"data": folders[i] if folders else None})
        _say_notes(sheet)
        found[sheet.name if sheet.name not in found else f"{sheet.name} ({i + 1})"] = list(
            engine.evaluate(sheet, "whole", plan)
        )
    _evaluated.write_several(found, list(engine.averages(found)), options["output"], format)


def _say_notes(sheet: Sheet) -> None:
    for note in sheet.notes:
        say(f"hdrq: note: {sheet.name + ': ' if sheet.name else ''}{note}")


def _sheet(dataset: Dataset | None, options: dict[str, Any]) -> Sheet:
    """Subjective scores beside metric values, from a dataset, a table, or both."""
    from hdrq.evaluation.ratings import join, sheet
    from hdrq.evaluation.score_table import read_scores

    path = Path(options["scores"]) if options["scores"] else None
    toward = {True: "lower", False: "higher", None: ""}[options["lower"]]
    columns = dict(_column(text) for text in options["columns"])
    if dataset is None:
        if path is None:
            raise UsageError(
                "nothing to evaluate; give --dataset NAME, or --scores FILE.csv with a column of subjective scores"
            )
        table = read_scores(path, options["metrics"], options["exclude"], columns)
        return sheet(table.pairs(), table.values, table.better, name=path.stem, opinions_better=toward)
    pairs = _pairs(dataset, options)
    if not any(p.opinion is not None for p in pairs):
        raise UsageError(
            f"{dataset.name} has no subjective scores ({dataset.scale}), so no metric can be evaluated on it"
        )
    if path is not None and path.exists() and (not options["metrics"] or not _computable(options["metrics"])):
        table = read_scores(path, options["metrics"], options["exclude"], columns)
        named = join(pairs, dict.fromkeys(n for column in table.values.values() for n in column))
        values = {m: {named[n]: v for n, v in c.items() if n in named} for m, c in table.values.items()}
        return sheet(pairs, values, table.better, name=dataset.name, dataset=dataset, opinions_better=toward)
    if not options["metrics"]:
        raise UsageError("no metric is given; add -m pu-psnr, and see: hdrq list metrics")
    name = Path(options["data"]).stem if dataset.name == "csv" and options["data"] else dataset.name
    values, better = _computed([p for p in pairs if p.opinion is not None], options, path)
    return sheet(pairs, values, better, name=name, dataset=dataset, opinions_better=toward)


def _pairs(dataset: Dataset, options: dict[str, Any]) -> list[Pair]:
    from hdrq.evaluation.archive import locate

    return list(dataset.pairs(locate(dataset, options["data"]), options["subset"]))


def _computable(metrics: tuple[str, ...]) -> bool:
    """Whether all are metrics of hdrq, rather than columns of a table."""
    from hdrq.scoring.request import split_requests

    try:
        return bool(split_requests(metrics))
    except UsageError:
        return False


def _computed(
    pairs: list[Pair], options: dict[str, Any], path: Path | None
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """({metric: {image: value}}, {metric: direction}) by scoring."""
    from hdrq.cli._dataset_scores import scored
    from hdrq.scoring.batch import Settings

    photometry, settings = _options.photometry_of(options), Settings(device=options["device"], jobs=2)
    own_ppd = all(options.get(key) is None for key in ("ppd", "screen", "diagonal", "distance"))
    values: dict[str, dict[str, float]] = {}
    better = {}
    for row in scored(pairs, options["metrics"], photometry, settings, path, own_ppd):
        value = row["value"] if row["status"] == "ok" and row["value"] is not None else float("nan")
        values.setdefault(row["metric"], {})[row["dist"]] = float(value)
        better[row["metric"]] = row["better"]
    return values, better


def _column(text: str) -> tuple[str, str]:
    meaning, sign, name = text.partition("=")
    if not sign or meaning not in _MEANINGS:
        raise UsageError(
            f"--column {text}: write MEANING=NAME, where MEANING is one of {', '.join(_MEANINGS)}"
        )
    return meaning, name


def _pairwise(dataset: Dataset, options: dict[str, Any], plan: Plan, format: str) -> bool:
    """Datasets of pairwise preferences have a table of their own."""
    if dataset.comparisons is None or options["subset"] in (None, "test"):
        return False
    from hdrq.evaluation.archive import locate
    from hdrq.evaluation.preferences import preferences

    compared = list(dataset.compared(locate(dataset, options["data"]), options["subset"]))
    path = Path(options["scores"]) if options["scores"] else None
    values, better = _computed(_pairs(dataset, options), options, path)
    found = preferences(compared, values, better, draws=plan.draws, seed=plan.seed)
    rows = sorted((asdict(p) for p in found), key=lambda r: -r["accuracy"])
    if format != "table":
        _tables.write_text(_tables.text_of(rows, format, list(rows[0])), options["output"])
        return True
    heads = ["metric", "pairs", "accuracy", "95 %", "observers agreed with", "upper bound"]
    lines = []
    for r in rows:
        ends = f"{r['low']:.3f} … {r['high']:.3f}" if r["scenes"] > 1 else ""
        shares = (f"{r[name]:.4f}" for name in ("share", "ceiling"))
        lines.append([r["metric"], f"{r['comparisons']}", f"{r['accuracy']:.4f}", ends, *shares])
    _tables.show_table(
        heads, lines, f"{dataset.name}: pairwise preferences", heads[1:], output=options["output"]
    )
    return True
