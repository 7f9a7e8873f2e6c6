"""hdrq merge: exposures of one scene to radiance, or to a fused image."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _merge_output, _merge_pattern, _merge_settings, _options
from hdrq.cli._idle import Dependent
from hdrq.cli._messages import note, quiet
from hdrq.cli._numbers import FINITE, POSITIVE, SEED
from hdrq.cli._outputs import report
from hdrq.cli._records import spread_of
from hdrq.errors import UsageError


@click.command(short_help="Merge exposures to radiance, with alignment and deghosting.")
@click.argument("paths", nargs=-1, required=True, metavar="FRAMES...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="Image to write, .exr, .hdr ...; with --fuse .png, .jpg ...; a folder for several brackets.",
)
@click.option(
    "--times",
    metavar="T1,T2,...",
    help="Exposure times in the order of the frames, such as 1/30 or 0.5, instead of those in EXIF.",
)
@click.option(
    "--ev", metavar="E1,E2,...", help="Exposures in stops, in the order of the frames; larger is brighter."
)
@click.option(
    "--exposures",
    "table",
    metavar="FILE.csv",
    help="Table of exposures with columns file, seconds (iso, fnumber), or file, ev.",
)
@click.option(
    "--estimate-exposures",
    is_flag=True,
    help="Estimate exposure ratios from the pixels, and report the error of the stated ones.",
)
@click.option("--allow-equal", is_flag=True, help="Accept frames of equal exposure.")
@click.option(
    "--response",
    default="auto",
    show_default=True,
    metavar="NAME|FILE",
    help="Camera response: auto, neighbour-ratios, debevec, robertson, mitsunaga-nayar; linear, srgb, gamma2.2, pq, "
    "hlg; or a file (.json .rsp .npz .csv).",
)
@click.option("--save-response", metavar="FILE.json", help="Write the response to a file for --response.")
@click.option("--plot-response", metavar="FILE.png", help="Write a plot of the response to this file.")
@click.option(
    "--method",
    default="average",
    show_default=True,
    metavar="NAME",
    help="How exposures are merged: average, by --rule and --weight, or a network, NET or NET@WEIGHTS, such as ahdrnet, adnet, "
    "deephdr, or deepfuse with --fuse.",
)
@click.option(
    "--rule",
    default="photon-count",
    show_default=True,
    metavar="NAME",
    help="Averaging rule: photon-count, least-noise, linear-mean, log-mean, time-squared.",
)
@click.option(
    "--weight",
    default="sigmoid",
    show_default=True,
    metavar="NAME",
    help="Weight of a code: sigmoid, hat, triangle, gaussian, robertson, plateau, triangle-floor, triangle-5, flat ...",
)
@click.option(
    "--weigh",
    type=click.Choice(["channel", "mean", "code"]),
    default="channel",
    show_default=True,
    help="Weight of a pixel: per channel by its code, the mean of the channels' weights, or by the mean code.",
)
@click.option(
    "--edge",
    type=click.Choice(["hold", "toolbox", "none"]),
    default="hold",
    show_default=True,
    help="Weights of highlights in the shortest frame and shadows in the longest: held at the maximum, as in HDR Toolbox, "
    "or as --weight gives.",
)
@click.option(
    "--align",
    type=click.Choice(["auto", "mtb", "homography", "flow", "none"]),
    default="auto",
    show_default=True,
    help="Alignment by whole pixels, homographies or optical flow; auto resamples only where needed.",
)
@click.option(
    "--crop",
    type=click.Choice(["common", "reference"]),
    default="common",
    show_default=True,
    help="Area of the result: what all frames cover, or the whole reference.",
)
@click.option(
    "--deghost",
    type=click.Choice(["auto", "reference", "bitmap", "patch", "none"]),
    default="auto",
    show_default=True,
    help="How moving objects are removed; auto is reference.",
)
@click.option(
    "--reference",
    default="auto",
    show_default=True,
    metavar="auto|N",
    help="Frame that others are aligned to and whose moving objects are kept, counted from 1.",
)
@click.option(
    "--scale",
    type=click.Choice(["auto", "absolute", "relative", "median"]),
    default="auto",
    show_default=True,
    help="Scale of the result: cd/m², which needs time, aperture and ISO; response over exposure; or a median luminance of 1.",
)
@click.option("--fuse", is_flag=True, help="Fuse the exposures to an image for viewing, without radiance.")
@click.option(
    "--fusion-weights",
    cls=Dependent,
    needs={"fuse": ()},
    default="1,1,1",
    show_default=True,
    metavar="C,S,E",
    help="With --fuse: exponents of contrast, saturation and well-exposedness.",
)
@click.option(
    "--uncertainty", is_flag=True, help="Add the standard error of every value as the EXR layer `error`."
)
@click.option("--ghost-mask", metavar="FILE.png", help="Write a mask of the moving objects found.")
@click.option(
    "--white",
    type=POSITIVE,
    metavar="VALUE",
    help="Value at which float and raw files clip.  [default: 1; for raw files, the level in the file]",
)
@click.option(
    "--black",
    type=FINITE,
    metavar="VALUE",
    help="Value of raw files without light.  [default: the level in the file]",
)
@click.option(
    "--balance",
    default="camera",
    show_default=True,
    metavar="NAME|R,G,B",
    help="White balance of raw files: camera (the first frame's), daylight, none, or factors on red, green, blue.",
)
@click.option(
    "--demosaic",
    type=click.Choice(["before", "after"]),
    default="before",
    show_default=True,
    help="Whether raw files are demosaicked before merging, or the merged mosaic after it (for frames from a tripod).",
)
@click.option(
    "--depth",
    type=click.Choice(["half", "float", "uint8", "uint16"]),
    help="Number type of the file written.  [default: float in EXR]",
)
@click.option(
    "--suffix",
    default=".exr",
    show_default=True,
    metavar=".EXT",
    help="Suffix of the files when several brackets are merged.",
)
@_merge_pattern.pattern_options
@click.option("--report", metavar="FILE", help="Write the report as .json or .html.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the random sample points.")
@_options.quiet_option
@_options.read_options
@click.option(
    "--primaries",
    metavar="NAME",
    help="Primaries to write: bt709, p3, bt2020.  [default: those of the files]",
)
@_options.device_option
@_options.cluster_option
def merge(paths: tuple[Path, ...], output: str, **options: Any) -> None:
    """Merge exposures of one scene to radiance.

    \b
    hdrq merge shots/*.jpg -o scene.exr
    hdrq merge a.png b.png c.png -o scene.exr --times 1/4,1,4 --align none --deghost none
    hdrq merge shots/*.jpg -o scene.exr --save-response camera.json --report scene.html
    hdrq merge shots/*.jpg -o scene.jpg --fuse
    hdrq merge brackets/ -o merged/            # a folder of folders, each a scene
    hdrq merge brackets.csv -o merged/         # a table with the columns bracket, file [seconds or ev]
    hdrq merge clip.mp4 -o frames/ --pattern alternating --times 1/30,1/240
    hdrq merge dual.dng -o scene.exr --pattern bayer-me --layout rows --gains 1,16
    """
    from hdrq.merging.api import is_of_brackets, refuse_outputs

    if options["pattern"] != "none":
        merged = _merge_pattern.merged(paths, output, options)
        if merged is not None:
            _tell(merged, output, options)
        return
    if len(paths) == 1 and is_of_brackets(paths[0]):
        _brackets(paths[0], Path(output), options)
        return
    if options["cluster"]:
        raise UsageError(
            "--cluster divides the brackets of a folder of folders or of a table; leave it out for one bracket"
        )
    settings = _merge_settings.of_one(output, options)
    beside = {name: options[name] for name in ("report", "save_response", "plot_response", "ghost_mask")}
    refuse_outputs(output, settings, paths, **beside)
    show = _merge_output.Progress()
    try:
        merged = hdrq.merge(
            [str(p) for p in paths], settings, notify=lambda step: None if quiet() else show(step)
        )
    finally:
        show("")
    _tell(merged, output, options)


def _tell(merged: Any, output: str, options: dict[str, Any]) -> None:
    """Write the files of a merge, and print its report."""
    _write(merged, output, options)
    for text in merged.report.notes:
        note(text)
    if not quiet():
        _merge_output.show(merged.report, output)


def _brackets(source: Path, folder: Path, options: dict[str, Any]) -> None:
    """Merge every bracket of a folder of folders or of a table."""
    settings = _merge_settings.of_brackets(folder, options)
    with spread_of(options) as spread:
        done = hdrq.merge_brackets(
            source, folder, settings, suffix=options["suffix"], depth=options["depth"], spread=spread
        )
        report(done, len(done), operator.attrgetter("name"))


def _write(merged: Any, output: str, options: dict[str, Any]) -> None:
    """Write the image, and the other requested files."""
    from hdrq.merging.api import plot_response, write_ghost_mask, write_merged, write_report, write_response

    for text in write_merged(merged, output, options["depth"]):
        note(text)
    if options["save_response"] and merged.response is not None:
        write_response(options["save_response"], merged.response)
    if options["plot_response"] and merged.response is not None:
        plot_response(merged.response, options["plot_response"])
    if options["ghost_mask"]:
        write_ghost_mask(merged, options["ghost_mask"])
    if options["report"]:
        write_report(merged, options["report"])
