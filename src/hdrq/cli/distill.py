"""hdrq distill: train a small, fast network to predict a metric."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import hdrq
from hdrq.cli import _complete, _options, _records
from hdrq.cli._idle import given, refuse
from hdrq.cli._messages import faults_of_a_dry_run, note, quiet, resumed_by_option, tell
from hdrq.cli._numbers import COUNT, POSITIVE, SEED
from hdrq.cli._progress import bar
from hdrq.cli._records import spread_of

if TYPE_CHECKING:
    from collections.abc import Iterator


_USUAL = "jpegxt,jpeg-pu,noise,blur"


@click.command(short_help="Train a small, fast network to predict a metric.")
@click.option(
    "-t",
    "--teacher",
    default="",
    metavar="METRIC,...",
    shell_complete=_complete.metric,
    help="Metric to predict; several for the mean of their quality; or mos, the scores of the dataset or manifest in --images.",
)
@click.option(
    "-s",
    "--student",
    shell_complete=_complete.metric,
    default="norvdpnet++",
    show_default=True,
    metavar="[CODE:]NET[@WEIGHTS]",
    help="Student network, and the encoding of its input.",
)
@click.option(
    "--images",
    multiple=True,
    metavar="DIR|FILE",
    help="Images, folders, manifests, or the set.csv of an earlier run.",
)
@click.option(
    "--distortions",
    shell_complete=_complete.listed("distortion", "tonemapper", "expander"),
    default=_USUAL,
    show_default=True,
    metavar="NAME,...",
    help="Distortions of the images (see: hdrq list distortions), tone mapping operators or expanders; methods, as "
    "tonemap:NAME, expand:NAME, merge:NAME, fuse:NAME, capture:NAME, also with networks NET@WEIGHTS; none leaves images "
    "as they are.",
)
@click.option("-n", "count", type=COUNT, default=20_000, show_default=True, help="Number of image pairs.")
@click.option(
    "--crop",
    default="256",
    show_default=True,
    metavar="N|WxH|whole",
    help="Side of the image pairs, pixels, or their width and height, such as 1024x768, or whole for images as they are.",
)
@click.option(
    "--central",
    is_flag=True,
    help="Cut the middle of each image at its own resolution, instead of random places at resolutions of 1, 1/2 and 1/4.",
)
@click.option(
    "--displays",
    shell_complete=_complete.listed("display"),
    default="sdr,bright",
    show_default=True,
    metavar="NAME,...",
    help="Displays on which images of code are shown.",
)
@click.option(
    "--hold-out",
    default="",
    metavar="SCENE,...",
    help="Scenes to exclude from training, or patterns such as '*7'.  [default: a random fifth]",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the set and the training.")
@click.option(
    "--ppd",
    type=POSITIVE,
    default=45.0,
    show_default=True,
    help="Pixels per degree, for teachers that need it.",
)
@click.option(
    "--batch",
    type=COUNT,
    default=8,
    show_default=True,
    help="Image pairs that a teacher scores in one batch.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a training setting, such as options.widths=[8,16,32,64,64]; may be repeated.",
)
@click.option("--name", default="", help="Name of the weights.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Run folder.  [default: runs/NAME]"
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="SQLite file of teacher scores; several distillations may share it.",
)
@click.option("--resume", is_flag=True, help="Continue the distillation in the run folder.")
@click.option(
    "--make-set",
    type=click.Choice(["recipes", "images", "captures"]),
    help="Write set.csv (recipes), or also the image pairs as EXR (images) and the frames that captures are merged from "
    "(captures), and stop.",
)
@click.option("--on-the-fly", is_flag=True, help="Render images in every epoch instead of storing them.")
@click.option("--float32", is_flag=True, help="Store the weights in single precision.")
@click.option(
    "--dry-run", is_flag=True, help="Check everything, time the teacher and a step of the student, and stop."
)
@_options.training_read_options
@_options.device_option
@_options.cluster_option
def distill(**options: Any) -> None:
    """Train a small network to predict a metric's score of distorted images.

    \b
    hdrq distill --teacher hdrvdp3 --images ~/hdr --distortions jpegxt,noise,blur -o RUN
    hdrq distill --teacher hdrvdp3,cvvdp --student pu-vtamiq --images ~/hdr --images ~/sdr --dry-run
    hdrq distill --teacher tmqi --distortions reinhard,drago,durand --images ~/hdr
    hdrq distill --teacher pu21:brisque,pu21:piqe --distortions none --images ~/photos
    hdrq distill --teacher mos --images kadid --student pu-diqm
    hdrq distill --resume -o RUN --set epochs=40
    """
    _refuse_idle(options)
    keywords = _keywords(options)
    with spread_of(options) as spread:
        if options["make_set"]:
            made = hdrq.distillation_set(**keywords, output=options["output"], cache=options["cache"])
            for line in made.skipped:
                note(f"skipped: {line}")
            if made.clipped:
                note(made.clipped)
            path = made.path
            if options["make_set"] != "recipes":
                written = made.write_images(spread, options["make_set"] == "captures")
                for path in bar(written, len(written), "pairs"):  # noqa: B007
                    pass
            click.echo(str(path))
            return
        run = {key: options[key] for key in ("output", "cache", "resume", "dry_run", "device")}
        if options["resume"]:
            keywords = {
                key: value
                for key, value in keywords.items()
                if (value if key in ("files", "settings") else _given(key))
            }
        if not options["dry_run"]:
            from hdrq.distillation.api import Scored

            with resumed_by_option(Scored) as passed_on:
                _follow(passed_on(hdrq.distill(**keywords, **run, spread=spread)))
            return
        with faults_of_a_dry_run():
            _follow(hdrq.distill(**keywords, **run, spread=spread))


def _refuse_idle(options: dict[str, Any]) -> None:
    """Refuse options without effect: on subjective scores, where no training follows, or on images that are not cut."""
    from hdrq.distillation.api import MOS

    rendering = {"distortions", "count", "displays", "central", "make_set", "on_the_fly"}
    if options["teacher"] in MOS:
        refuse({*rendering, "ppd", "batch", "cache", "cluster"}, f"with --teacher {options['teacher']}")
    if options["make_set"]:
        training = {"settings", "float32", "on_the_fly", "resume", "dry_run", "batch", "ppd", "device"}
        refuse(training, "with --make-set, which trains nothing")
    if options["make_set"] == "recipes":
        refuse({"cluster"}, "with --make-set recipes, which renders nothing")
    if options["crop"] == "whole":
        refuse({"central"}, "with --crop whole")


def _given(key: str) -> bool:
    """Whether the user has given an argument of the API."""
    options = {"n": ("count",), "half": ("float32",), "keep_pixels": ("on_the_fly",)}.get(key, (key,))
    return not given(click.get_current_context()).isdisjoint(options)


def _keywords(options: dict[str, Any]) -> dict[str, Any]:
    """Keywords of the API."""
    names = (
        "teacher",
        "student",
        "images",
        "distortions",
        "crop",
        "central",
        "displays",
        "hold_out",
        "seed",
        "ppd",
        "batch",
        "name",
    )
    return {
        **{key: options[key] for key in names},
        "n": options["count"],
        "settings": _records.set_values(options["settings"], "epochs=40", empty=True),
        "files": _records.files_of(options),
        "half": not options["float32"],
        "keep_pixels": not options["on_the_fly"],
    }


def _follow(records: Iterator[Any]) -> None:
    """Show notes and validations as lines and progress as a bar; print the path of the card."""
    import sys

    from tqdm import tqdm

    from hdrq.distillation.api import Distilled, Note, Scored, Step, Validation

    shown = tqdm(disable=quiet() or not sys.stderr.isatty(), dynamic_ncols=True, leave=False)
    for record in records:
        if isinstance(record, Scored):
            shown.set_description(record.teacher)
            shown.total, shown.n = record.total, record.done
            shown.refresh()
        elif isinstance(record, Step):
            shown.set_description(f"epoch {record.epoch}")
            shown.total, shown.n = None, record.step
            shown.set_postfix(loss=f"{record.loss:.4f}", aligned=f"{record.aligned:.4f}")
        elif isinstance(record, Note):
            shown.clear()
            note(record.text)
        elif isinstance(record, Validation):
            shown.clear()
            best = "  best" if record.best else ""
            tell(
                f"epoch {record.epoch}: SROCC {record.srocc:.4f}, PLCC {record.plcc:.4f}, MAE {record.mae:.4f}{best}"
            )
        elif isinstance(record, Distilled):
            shown.clear()
            for name, found in record.agreement.items():
                tell(_agreement(name, found))
            note(
                f"use the weights with: HDRQ_MODELS={record.card.parent} hdrq score ... -m '{record.metric}'"
            )
            click.echo(str(record.card))
    shown.close()


def _agreement(name: str, found: dict[str, Any]) -> str:
    """One line on the agreement with the teacher on held-out scenes."""
    counted = f"{found['rows']} rows of {found['scenes']} held-out scenes"
    if "srocc" not in found:
        return f"  {name:20s} {counted}"
    low, high = found.get("srocc_interval", ("?", "?"))
    return (
        f"  {name:20s} SROCC {found['srocc']:.3f} [{low}, {high}], PLCC {found['plcc']:.3f}, "
        f"MAE {found['mae']:.4f}, {counted}"
    )
