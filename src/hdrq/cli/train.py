"""hdrq train: train a network by a recipe, or fine-tune one on the user's images and scores."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _complete, _options, _records
from hdrq.cli import _train_output as _shown
from hdrq.cli._idle import Dependent
from hdrq.cli._messages import faults_of_a_dry_run, resumed_by_option
from hdrq.cli._numbers import Number


@click.command(short_help="Train a network, or fine-tune one on your own images and scores.")
@click.option(
    "--dataset",
    default="",
    metavar="NAME",
    shell_complete=_complete.of("dataset"),
    help="Dataset to train on, or csv with --data FILE. See: hdrq list datasets.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Folder of the datasets, or the CSV file.  [default: $HDRQ_DATA]",
)
@click.option(
    "-m",
    "--metric",
    default="",
    metavar="[CODE:]NET[@WEIGHTS]",
    shell_complete=_complete.metric,
    help="Network to train; with weights, fine-tuning starts from them.",
)
@click.option("--lower", is_flag=True, help="Lower subjective scores are better (CSV files do not state it).")
@click.option("--name", default="", metavar="NAME", help="Name of the new weights.")
@click.option(
    "--recipe",
    default="",
    shell_complete=_complete.of("recipe"),
    metavar="NAME",
    help="Train by this recipe, which states dataset, network and settings. See: hdrq list recipes.",
)
@click.option(
    "--variant", metavar="NAME", default="", help="Variant of the recipe, such as paper or program."
)
@click.option(
    "--like",
    default="",
    metavar="CARD.json|NAME",
    help="Repeat the training described on this card; --set changes settings.",
)
@click.option(
    "--protocol",
    type=click.Choice(["folds", "splits", "lodo", "cross"]),
    help="Train once per split and test on the held-out part: folds (60-20-20 by scene), random splits (80-20), "
    "leave one distortion out, or other datasets.",
)
@click.option(
    "--repeats",
    type=Number(1, 10**4, whole=True),
    metavar="N",
    help="Number of random splits (default 10), or repetitions of another protocol with other seeds (default 1).",
)
@click.option(
    "--folds",
    cls=Dependent,
    needs={"protocol": ("folds",), "resume": ()},
    type=Number(3, 10**4, whole=True),
    default=5,
    show_default=True,
    help="Number of folds.",
)
@click.option(
    "--test",
    multiple=True,
    metavar="NAME[:SUBSET][=DIR|FILE]",
    help="Test dataset of --protocol cross; may be repeated.",
)
@click.option(
    "--da", metavar="KIND", help="Train with domain adaptation: coral, deep-coral, mmd or adversary."
)
@click.option(
    "--target",
    shell_complete=_complete.of("dataset"),
    default="",
    metavar="NAME",
    help="Dataset of the second domain of --da.  [default: the dataset on HDR displays]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a training setting; may be repeated. --dry-run shows all settings.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run folder.  [default: runs/NAME]",
)
@click.option(
    "--resume", is_flag=True, help="Continue the training in the run folder; --set epochs=N extends it."
)
@click.option("--replace", is_flag=True, help="Replace weights that have the same name.")
@click.option("--tensorboard", is_flag=True, help="Also write the curves for TensorBoard.")
@click.option("--small", is_flag=True, help="Reduce everything to a smoke test of the same code.")
@click.option(
    "--dry-run", is_flag=True, help="Check everything, show the settings and an estimate; train nothing."
)
@_options.training_read_options
@_options.device_option
def train(**options: Any) -> None:
    """Fine-tune a network on your own images and scores, or train one by a recipe.

    \b
    hdrq train --dataset csv --data mine.csv -m norvdpnet++   # columns dist, mos and perhaps scene
    hdrq train --dataset csv --data mine.csv -m pu-vtamiq     # with a column ref
    hdrq train --recipe vtamiq-hs --data ~/iqa
    hdrq train --dataset kadid --da coral                     # the recipe that fits: vtamiq-hs
    hdrq train --dataset kadid --da coral --target sihdr --set rate=3e-5
    hdrq train --like runs/mine/mine.json --data mine.csv     # the same training again
    hdrq train --resume -o runs/norvdpnetpp-mine --set epochs=40
    hdrq train --recipe vtamiq-hl --set held_from=target --protocol folds
    hdrq train --dataset livec -m metaiqa --protocol splits --repeats 10
    hdrq train --dataset tid2013 -m metaiqa --protocol lodo
    hdrq train --dataset koniq -m koncept512 --protocol cross --test livec --test spaq
    torchrun --nproc_per_node 4 -m hdrq train --recipe vtamiq-srgb
    """
    settings: dict[str, Any] = {f"files.{name}": value for name, value in _records.files_of(options).items()}
    settings |= _records.set_values(options.pop("settings"), "epochs=40", empty=True)
    wanted: dict[str, Any] = {name: value for name, value in options.items() if name != "da"}
    wanted |= {"settings": settings, "align": options["da"]}
    wanted |= {"protocol": options["protocol"] or "", "repeats": options["repeats"] or 0}
    if options["dry_run"]:
        with faults_of_a_dry_run():
            _shown.preview(hdrq.train(**wanted))
        return
    from hdrq.training.api import Begun, ImageBegun, Part, ProcessLost

    try:
        with resumed_by_option(Begun, ImageBegun, Part) as passed_on:
            _shown.follow(passed_on(hdrq.train(**wanted)), options["small"])
    except ProcessLost as error:
        # one process prints the error, and torchrun then ends the others
        time.sleep(min(error.rank, 5))
        raise
