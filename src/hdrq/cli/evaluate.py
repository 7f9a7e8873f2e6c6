"""hdrq evaluate: agreement of metrics with subjective scores."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _complete, _options, _tables
from hdrq.cli import _evaluate_output as _evaluated
from hdrq.cli import _evaluate_request as _request
from hdrq.cli._idle import Dependent, refuse
from hdrq.cli._messages import INTERRUPTED, Notes, note, say
from hdrq.cli._numbers import SEED, Number
from hdrq.cli._records import spread_of
from hdrq.errors import UsageError

_PROTOCOLS = ("whole", "folds", "splits", "leave-one-out")
_FORMS = ("logistic5", "logistic4", "cubic", "line")


@click.command(short_help="Measure how metrics agree with subjective scores.")
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
    help="Metric to compute, or column of --scores, where patterns such as 'PSNR*' are allowed; may be repeated.",
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
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out the columns of --scores that match this pattern; may be repeated.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="MEANING=NAME",
    help=f"Say which column of --scores has a meaning, such as mos=MOS. Meanings: {', '.join(_request.MEANINGS)}.",
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
    help="How curves are fitted and tested: on the whole set, on folds by scene (60-20-20), on repeated random splits, or with "
    "each distortion left out in turn.",
)
@click.option(
    "--folds",
    cls=Dependent,
    needs={"protocol": ("folds",)},
    type=Number(3, 10**6, whole=True),
    default=5,
    show_default=True,
    help="Number of folds.",
)
@click.option(
    "--splits",
    cls=Dependent,
    needs={"protocol": ("splits",)},
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
    help="Curve from metric values to subjective scores, fitted before PLCC and RMSE are computed.",
)
@click.option(
    "--draws",
    type=Number(0, 10**6, whole=True),
    default=1000,
    show_default=True,
    help="Number of bootstrap samples of scenes for the intervals; 0 for no intervals.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of splits and bootstrap samples.")
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
@_request.comparison_options
@click.option("--report", metavar="FILE.html", help="Write an HTML report with figures and thumbnails.")
@click.option("--plots", metavar="DIR", help="Write the figures to this folder, as PNG and PDF.")
@click.option(
    "--average-weights",
    metavar="NAME=WEIGHT,...",
    help="Add an average over several datasets with these weights, such as koniq=0.25,livec=0.75.",
)
@click.option(
    "--correlations",
    is_flag=True,
    help="Compute correlations between the metrics instead, as a matrix. Subjective scores are not needed.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="An interrupted --scores file is always continued; this option changes nothing.",
)
@_options.light_options
@_options.working_option
@_options.side_options
@_options.viewing_options
@_options.device_option
@_options.cluster_option
@_options.paper_output_options
def evaluate(**options: Any) -> None:
    """Measure how metrics agree with subjective scores: correlations, intervals, significance, a report.

    \b
    hdrq evaluate --dataset livec --data livec/ -m niqe -m brisque --report out.html
    hdrq evaluate --dataset upiq --subset hdr -m pu-psnr -m hdrvdp3 --scores upiq.csv
    hdrq evaluate --scores values.csv --column mos=MOS --lower -m 'PSNR*' -m SSIM
    hdrq evaluate --dataset csv --data manifest.csv -m ssim --protocol folds
    hdrq evaluate --dataset kadid --dataset upiq:hdr -m pu-ssim -m pu-vif -o table.tex
    hdrq evaluate --scores values.csv --correlations --format markdown
    hdrq evaluate --dataset koniq --dataset livec -m nr --merge-mos merged.csv
    hdrq evaluate --dataset espl-live-hdr --codes qdnet@NAME --plots figures/
    hdrq evaluate --scores predictions.csv --by distortion --transpose srocc --published peers.csv -o table.tex
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
    if options["codes"]:
        _request.refuse_idle("--codes")
        _request.draw_codes(names, folders, options)
        return
    if options["correlations"]:
        _correlations(names, folders, options, format)
        return
    if len(names) > 1:
        _several(names, folders, options, format)
        return
    refuse({"average_weights", "merge_mos", "anchor"}, "on one dataset")
    if not names:
        refuse(_request.READING, "without --dataset, as nothing is computed")
    from hdrq.evaluation.api import has_preferences

    name, folder = names[0] if names else "", folders[0] if folders else None
    if has_preferences(name, options["subset"]):
        _preferences(name, folder, options, format)
        return
    found = hdrq.evaluate(
        dataset=name,
        data=folder,
        train_on=options["train_on"] or "",
        published=options["published"],
        **_request.keywords(options),
        **_request.statistics(options),
    )
    for text in found.notes:
        note(f"{found.ratings.name}: {text}" if found.ratings.name else text)
    _evaluated.write(found, options["by"], options, format)
    if options["plots"]:
        written = found.write_figures(options["plots"])
        note(f"wrote {len(written)} figures to {options['plots']}")
    if options["report"]:
        _tables.write_text(found.page("hdrq " + shlex.join(sys.argv[1:])), options["report"])
        note(f"wrote the report to {options['report']}")


def _correlations(
    names: tuple[str, ...], folders: tuple[str, ...], options: dict[str, Any], format: str
) -> None:
    """Correlations between metrics; subjective scores are not needed."""
    _request.refuse_idle("--correlations")
    if len(names) > 1:
        raise UsageError("--correlations is for one dataset; evaluate one at a time")
    name, folder = names[0] if names else "", folders[0] if folders else None
    found = hdrq.correlate(dataset=name, data=folder, **_request.keywords(options))
    if found.assumed:
        note(f"the direction of {', '.join(found.assumed)} is not stated; higher values are taken as better")
    _evaluated.write_correlations(found.rows, options["output"], format)


def _several(names: tuple[str, ...], folders: tuple[str, ...], options: dict[str, Any], format: str) -> None:
    """Several datasets: one table of metrics by datasets, with averages."""
    _request.refuse_idle("several datasets")
    if options["protocol"] != "whole":
        raise UsageError(f"--protocol {options['protocol']} is for one dataset; evaluate one at a time")
    found = hdrq.evaluate_datasets(
        names,
        data=folders,
        weights=_request.weights_of(options["average_weights"]),
        published=options["published"],
        **_request.keywords(options),
        **_request.statistics(options),
    )
    for name, one in found.each.items():
        for line in one.ratings.notes:
            note(f"{name}: {line}")
    _evaluated.write_several(found, options, format)
    if options["merge_mos"]:
        _evaluated.write_merged(found.merged_ratings(options["anchor"] or ""), options["merge_mos"])


def _preferences(name: str, folder: str | None, options: dict[str, Any], format: str) -> None:
    """The table for datasets of pairwise preferences."""
    _request.refuse_idle(f"{name}, which has preferences")
    found = hdrq.preferences(
        dataset=name, data=folder, draws=options["draws"], seed=options["seed"], **_request.keywords(options)
    )
    _evaluated.write_preferences(
        name.partition(":")[0], [asdict(p) for p in found], options["output"], format
    )
