"""hdrq evaluate: agreement of metrics with subjective scores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrq.cli import _complete
from hdrq.cli import _evaluate_output as _evaluated
from hdrq.cli import _evaluate_request as _asked
from hdrq.cli import options as _options
from hdrq.cli import tables as _tables
from hdrq.cli._cluster import spread_of
from hdrq.cli._notes import Notes
from hdrq.cli._numbers import SEED, Number
from hdrq.cli.app import INTERRUPTED, note, say
from hdrq.errors import UsageError
from hdrq.registry import find

if TYPE_CHECKING:
    from hdrq.evaluation.api import Evaluation
    from hdrq.evaluation.archive import Dataset
    from hdrq.evaluation.statistics.agreement import Agreement

_PROTOCOLS = ("whole", "folds", "splits", "leave-one-out")
_FORMS = ("logistic5", "logistic4", "cubic", "line")


@click.command(short_help="Compare metrics with subjective scores.")
@click.option(
    "--dataset",
    "dataset_names",
    multiple=True,
    metavar="NAME[:SUBSET]",
    shell_complete=_complete.of("dataset"),
    help="Dataset of images and subjective scores, or a subset of it; may be repeated. See: hdrq list datasets.",
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
    help=f"Name the column of --scores that holds: {', '.join(_asked.MEANINGS)}.",
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
@click.option(
    "--average-weights",
    metavar="NAME=WEIGHT,...",
    help="A further average over several datasets with these weights: koniq=0.25,livec=0.75.",
)
@click.option(
    "--correlations",
    is_flag=True,
    help="Correlations between the metrics instead, as a matrix; subjective scores are not needed.",
)
@click.option("--resume", is_flag=True, help="Continue an interrupted --scores file (always done).")
@_options.light_options
@_options.working_option
@_options.side_options
@_options.viewing_options
@_options.device_option
@_options.cluster_option
@_options.paper_output_options
def evaluate(**options: Any) -> None:
    """Compare metrics with subjective scores.

    \b
    hdrq evaluate --dataset livec --data livec/ -m niqe -m brisque --report out.html
    hdrq evaluate --dataset upiq --subset hdr -m pu-psnr -m hdrvdp3 --scores upiq.csv
    hdrq evaluate --scores values.csv --column opinion=MOS --lower -m 'PSNR*' -m SSIM
    hdrq evaluate --dataset csv --data manifest.csv -m ssim --protocol folds
    hdrq evaluate --dataset kadid --dataset upiq:hdr -m pu-ssim -m pu-vif -o table.tex
    hdrq evaluate --scores values.csv --correlations --format markdown
    """
    _evaluated.check_targets(options)
    options["notes"] = notes = Notes()
    click.get_current_context().call_on_close(notes.finish)
    try:
        with spread_of(options) as spread:
            _evaluate(options | {"spread": spread})
    except KeyboardInterrupt:
        part = Path(f"{options['scores']}.part")
        if not options["scores"] or not part.exists():
            raise
        say(f"hdrq: interrupted; the scores so far are in {part}; the same command goes on from there")
        raise SystemExit(INTERRUPTED) from None


def _evaluate(options: dict[str, Any]) -> None:
    format = _tables.format_of(
        options["format_"], options["output"], more={".tex": "latex", ".md": "markdown"}
    )
    names, folders = options.pop("dataset_names"), options.pop("folders")
    if len(folders) > max(len(names), 1) or (len(names) > 1 and folders and len(folders) != len(names)):
        raise UsageError(
            f"{len(folders)} --data for {len(names)} --dataset; give one folder for each dataset, or none"
        )
    if options["correlations"]:
        _correlations(names, folders, options, format)
        return
    if len(names) > 1:
        _several(names, folders, options, format)
        return
    if options["average_weights"]:
        raise UsageError("--average-weights is for several datasets; leave it out, or repeat --dataset")
    name, folder = _asked.subset_of(names[0], options) if names else "", folders[0] if folders else None
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
        columns=dict(_asked.column(text) for text in options["columns"]),
        lower=options["lower"],
        protocol=options["protocol"],
        train_on=options["train_on"] or "",
        fit=options["form"],
        draws=options["draws"],
        seed=options["seed"],
        folds=options["folds"],
        splits=options["splits"],
        held_out=options["held_out"],
        **_asked.scoring(options),
    )


def _of(found: Evaluation) -> str:
    return f"{found.sheet.name}: " if found.sheet.name else ""


def _correlations(
    names: tuple[str, ...], folders: tuple[str, ...], options: dict[str, Any], format: str
) -> None:
    """Correlations between metrics; subjective scores are not needed."""
    from hdrq.evaluation.api import correlate

    for option in ("report", "plots", "significance", "train_on", "by", "held_out"):
        if options[option]:
            raise UsageError(
                f"--{option.replace('_', '-')} needs subjective scores; leave it out with --correlations"
            )
    if len(names) > 1:
        raise UsageError("--correlations is for one dataset; evaluate one at a time")
    name = _asked.subset_of(names[0], options) if names else ""
    rows, guessed = correlate(_asked.request_of(name, folders[0] if folders else None, options))
    if guessed:
        note(f"the direction of {', '.join(guessed)} is not stated; higher values are taken as better")
    _evaluated.write_correlations(rows, options["output"], format)


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
    for i, text in enumerate(names):
        own = dict(options)
        found = _evaluated_on(_asked.subset_of(text, own), folders[i] if folders else None, own)
        called = ":".join(filter(None, (found.sheet.name, own["subset"])))
        for line in found.sheet.notes:
            note(f"{called}: {line}")
        each[called if called not in each else f"{called} ({i + 1})"] = list(found.rows)
    means = list(averages(each, _asked.weights_of(options["average_weights"])))
    _evaluated.write_several(each, means, options["output"], format)


def _preferences(dataset: Dataset, folder: str | None, options: dict[str, Any], format: str) -> None:
    """The table for datasets of pairwise preferences."""
    from hdrq.evaluation.api import compare
    from hdrq.evaluation.evaluate import Plan

    asked = _asked.request_of(dataset.name, folder, options)
    rows = [asdict(p) for p in compare(asked, Plan(draws=options["draws"], seed=options["seed"]))]
    _evaluated.write_preferences(dataset.name, rows, options["output"], format)
