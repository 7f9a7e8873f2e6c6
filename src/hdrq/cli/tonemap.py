"""hdrq tonemap: tone mapping of HDR images, and expansion of SDR images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hdrq.cli import _complete, _options
from hdrq.cli import _tonemap_tasks as _tasks
from hdrq.cli._idle import given as given_by
from hdrq.cli._numbers import COUNT, NOT_NEGATIVE, POSITIVE, SEED
from hdrq.cli._tonemap_options import refuse_idle, refuse_with_auto, task_of
from hdrq.cli._tonemap_tasks import contact_sheet
from hdrq.errors import UsageError
from hdrq.io import refuse_inputs, refuse_unwritable


def _levels(text: str | None) -> tuple[float, float] | None:
    """The text 0.3,1.1 as (0.3, 1.1)."""
    if text is None:
        return None
    try:
        ev, power = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--levels takes stops and an exponent such as 0.3,1.1, not '{text}'") from None
    return ev, power


@click.command(short_help="Tone-map HDR images, compare and optimise operators, expand SDR.")
@click.argument("paths", metavar="IN... [OUT]", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--operator",
    metavar="NAME",
    shell_complete=_complete.of("tonemapper"),
    help="Tone mapping operator, or a network: NET or NET@WEIGHTS.  [default: reinhard]",
)
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE", help="Parameter of the operator; may be repeated."
)
@click.option(
    "--params",
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Use operator, parameters, colour, gamut, display and format from this file; with --optimize, write them to it.",
)
@click.option(
    "--save-params",
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Write operator, parameters, colour, gamut, display and format to this file, for --params.",
)
@click.option(
    "--colour",
    metavar="NAME",
    help="Colour correction: schlick, linear, mantiuk-power, mantiuk-linear, pouli, luminance.",
)
@click.option("--saturation", type=NOT_NEGATIVE, metavar="S", help="Saturation of the colour correction.")
@click.option(
    "--levels",
    metavar="EV,POWER",
    callback=lambda ctx, param, text: _levels(text),
    help="Exposure in stops and exponent of luminance after the operator, such as 0.3,1.1; fixed during --optimize.",
)
@click.option(
    "--gamut",
    default="clip",
    show_default=True,
    metavar="NAME",
    help="Gamut mapping: clip, desaturate or scale.",
)
@click.option(
    "--primaries",
    metavar="NAME",
    help="Primaries to write: bt709, p3, bt2020, adobe-rgb.  [default: the display's, else those of the file]",
)
@click.option(
    "--wrap", is_flag=True, help="The image is a 360-degree panorama: its left and right edges meet."
)
@click.option("--bits", type=click.Choice(["8", "16"]), help="Bit depth.  [default: 8, 16 for PQ and HLG]")
@click.option(
    "--gain-map",
    type=POSITIVE,
    metavar="STOPS",
    help="Write JPEGs with a gain map (Ultra HDR), which holds the scene's light up to STOPS above SDR white.",
)
@click.option(
    "--dither", is_flag=True, help="Add noise of one quantisation step before rounding, against banding."
)
@click.option(
    "--suffix",
    metavar=".EXT",
    help="Suffix of the files written to a folder.  [default: .png; .exr with --expand]",
)
@click.option(
    "--temporal",
    type=POSITIVE,
    metavar="FRAMES",
    help="Inputs are the frames of a video, in natural order; statistics are smoothed over time with this time constant.",
)
@click.option(
    "--compare",
    shell_complete=_complete.listed("tonemapper", also=("all",)),
    metavar="all|A,B,...",
    help="Write a contact sheet of operators to OUT.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Output file or folder. With it, all paths are inputs.",
)
@click.option(
    "--score",
    shell_complete=_complete.metric,
    metavar="METRIC",
    help="Metric shown on the contact sheet of --compare; none for no values.  [default: tmqi]",
)
@click.option(
    "--optimize",
    shell_complete=_complete.metric,
    metavar="METRIC",
    help="Optimise the operator's parameters for this image.",
)
@click.option(
    "--auto",
    is_flag=True,
    help="Predict the operator's parameters for each image by a network, where there are weights for the operator.",
)
@click.option("--weights", metavar="NAME", help="With --auto: weights to predict with.")
@click.option(
    "--iterations",
    type=COUNT,
    default=60,
    show_default=True,
    help="Evaluations per start of --optimize; there are three starts.",
)
@click.option(
    "--expand",
    metavar="NAME",
    shell_complete=_complete.of("expander"),
    help="Inverse tone mapping operator, or a network (NET or NET@WEIGHTS): reads SDR, writes light.",
)
@click.option(
    "--mask", is_flag=True, help="With --expand: write a mask of clipped pixels as NAME-clipped.png."
)
@click.option(
    "--enhance", metavar="qdnet[@WEIGHTS]", help="Reconstruct a tone-mapped image with the quality --quality."
)
@click.option(
    "--quality",
    metavar="Q[,Q...]",
    help="With --enhance: quality in the unit of its weights, about 0..1; several for a sheet of the image at each.",
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Seed of dithering and of the starts of --optimize.",
)
@_options.quiet_option
@_options.device_option
@_options.cluster_option
@_options.light_options
@click.pass_context
def tonemap(context: click.Context, /, paths: tuple[Path, ...], **options: Any) -> None:
    """Tone-map HDR images for a display. Inputs are files, patterns such as *.exr, and folders.

    \b
    hdrq tonemap scene.exr image.png --operator reinhard --set key=0.3
    hdrq tonemap a.exr b.hdr images/ --operator drago
    hdrq tonemap scene.exr image.png --display hdr-pq-1000 --operator bt2390
    hdrq tonemap scene.exr image.jpg --gain-map 3
    hdrq tonemap scene.exr --compare all -o sheet.png
    hdrq tonemap scene.exr best.png --optimize tmqi --params best.json
    hdrq tonemap scene.exr image.png --operator sigmoid --auto
    hdrq tonemap photo.jpg light.exr --expand rempel
    hdrq tonemap image.png better.png --enhance qdnet@NAME --quality 0.9
    hdrq tonemap image.png sheet.png --enhance qdnet@NAME --quality 0.1,0.3,0.5,0.7,0.9
    """
    given = given_by(context) - {"paths"}
    task = task_of(given)
    refuse_idle(task, given)
    refuse_with_auto(given)
    sources, target = _split(paths, options["output"])
    for file in (options["params"] if task == "optimize" else None, options["save_params"]):
        refuse_unwritable(str(file) if file is not None else None, None)
    other = {"compare": contact_sheet, "expand": _tasks.expand, "enhance": _tasks.enhance}.get(task)
    if target is None and (other is not None or (task != "optimize" and options["save_params"] is None)):
        raise UsageError("give the output file, OUT or -o FILE")
    if target is not None and not target.is_dir():
        refuse_inputs([target], sources)
    if other is not None and target is not None:
        other(sources, target, options, given)
    else:
        _tasks.tonemap(sources, target, options, given)


def _split(paths: tuple[Path, ...], output: Path | None) -> tuple[list[Path], Path | None]:
    """(inputs, output): the last path is the output, except with -o or when it is the only path."""
    if output is not None or len(paths) == 1:
        return list(paths), output
    return list(paths[:-1]), paths[-1]
