"""hdrq tonemap: tone mapping of HDR images, and expansion of SDR images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hdrq.cli import _complete
from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.cli import tables as _tables
from hdrq.cli._cluster import spread_of
from hdrq.cli._notes import Notes
from hdrq.cli._numbers import COUNT, FINITE, NOT_NEGATIVE, POSITIVE, SEED
from hdrq.cli._tonemap_compare import compare, scene_photometry
from hdrq.cli._tonemap_options import refuse_idle, refuse_idle_display, task_of
from hdrq.cli.app import NOTHING_DONE, SOME_FAILED, say
from hdrq.errors import UsageError
from hdrq.scoring.resume import refuse_unwritable
from hdrq.work import here


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
    help="Tone mapping operator.  [default: reinhard]",
)
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE", help="Parameter of the operator; may be repeated."
)
@click.option(
    "--params",
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Use operator, parameters, colour, gamut and display from this file; with --optimize, write them to it.",
)
@click.option(
    "--save-params",
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Write operator, parameters, colour, gamut and display to this file, for --params.",
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
    "--wrap", is_flag=True, help="The image is a 360-degree panorama: its left and right edges meet."
)
@click.option("--bits", type=click.Choice(["8", "16"]), help="Bit depth.  [default: 8, 16 for PQ and HLG]")
@click.option(
    "--gain-map",
    type=POSITIVE,
    metavar="STOPS",
    help="JPEG: add the scene's light, up to STOPS above SDR white, as a gain map (Ultra HDR).",
)
@click.option("--dither", is_flag=True, help="Dither: add noise of one quantisation step before rounding.")
@click.option(
    "--suffix",
    metavar=".EXT",
    help="Suffix of the files written to a folder.  [default: .png; .exr with --expand]",
)
@click.option(
    "--temporal",
    type=POSITIVE,
    metavar="FRAMES",
    help="Inputs are frames of a video in natural order: smooth statistics with this time constant.",
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
    help="Output; all paths are then inputs.",
)
@click.option(
    "--score",
    shell_complete=_complete.metric,
    metavar="METRIC",
    help="Metric shown on the contact sheet.  [default: tmqi; none for no values]",
)
@click.option(
    "--optimize",
    shell_complete=_complete.metric,
    metavar="METRIC",
    help="Optimise the operator's parameters for this image.",
)
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
    help="Inverse tone mapping operator: reads SDR, writes light.",
)
@click.option(
    "--mask", is_flag=True, help="With --expand: write a mask of clipped pixels as NAME-clipped.png."
)
@click.option(
    "--enhance", metavar="qdnet[@WEIGHTS]", help="Reconstruct a tone-mapped image with the quality --quality."
)
@click.option(
    "--quality",
    type=FINITE,
    metavar="Q",
    help="With --enhance: quality in the unit of its weights, about 0..1.",
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
    """Tone-map HDR images for a display (--display, default sdr): files, patterns, folders.

    \b
    hdrq tonemap scene.exr image.png --operator reinhard --set key=0.3
    hdrq tonemap a.exr b.hdr images/ --operator drago
    hdrq tonemap scene.exr image.png --display hdr-pq-1000 --operator bt2390
    hdrq tonemap scene.exr image.jpg --gain-map 3
    hdrq tonemap scene.exr --compare all -o sheet.png
    hdrq tonemap scene.exr best.png --optimize tmqi --params best.json
    hdrq tonemap photo.jpg light.exr --expand rempel
    hdrq tonemap image.png better.png --enhance qdnet@NAME --quality 0.9
    """
    given = {n for n in options if context.get_parameter_source(n) == ParameterSource.COMMANDLINE}
    task = task_of(given)
    refuse_idle(task, given)
    sources, target = _split(paths, options["output"])
    for kept in (options["params"] if task == "optimize" else None, options["save_params"]):
        refuse_unwritable(str(kept) if kept is not None else None, None)
    other = {"compare": compare, "expand": _expand, "enhance": _enhance}.get(task)
    if target is None and (other is not None or (task != "optimize" and options["save_params"] is None)):
        raise UsageError("give the output file, OUT or -o FILE")
    if other is not None and target is not None:
        other(sources, target, options, given)
    else:
        _tonemap(sources, target, options, given)


def _split(paths: tuple[Path, ...], output: Path | None) -> tuple[list[Path], Path | None]:
    """(inputs, output): the last path is the output, except with -o or when it is the only path."""
    if output is not None or len(paths) == 1:
        return list(paths), output
    return list(paths[:-1]), paths[-1]


def _tonemap(sources: list[Path], target: Path | None, options: dict[str, Any], given: set[str]) -> None:
    from hdrq.cli._optimize import optimize
    from hdrq.image.devices import device_of
    from hdrq.tonemapping.files import jobs, parameters_of, tonemap_files

    todo = jobs(sources, target, options["suffix"] or ".png") if target is not None else []
    if "suffix" in given and todo and target == todo[0][1]:
        raise UsageError(f"--suffix is only for output folders; {target} has a suffix")
    made = _plan(options)
    refuse_idle_display(made, given)
    if options["optimize"]:
        if len(sources) != 1 or sources[0].is_dir() or options["temporal"] is not None:
            raise UsageError("--optimize takes one image; apply its --params to others")
        made = optimize(sources[0], made, options, scene_photometry(options))
    if options["save_params"] is not None:
        _tables.write_text(parameters_of(made, options["display"]), str(options["save_params"]))
    if target is not None:
        if options["cluster"] and options["temporal"] is not None:
            raise UsageError(
                "--temporal processes frames in order, which --cluster cannot divide; give only one"
            )
        with spread_of(options) as spread:
            done = tonemap_files(
                todo,
                made,
                scene_photometry(options),
                options["device"] if spread else device_of(options["device"]),
                options["temporal"],
                _options.selection_of(options),
                options["gain_map"],
                spread or here,
            )
            _report(done, len(todo), options)


def _settings(sets: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in sets:
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise UsageError(f"--set {text} is not NAME=VALUE, such as --set key=0.18")
        found[name.strip()] = value.strip()
    return found


def _plan(options: dict[str, Any]) -> Any:
    from hdrq.tonemapping.files import CHOICES, read_parameters
    from hdrq.tonemapping.tonemap import plan

    settings: dict[str, Any] = {}
    name = options["operator"] or "reinhard"
    kept: dict[str, Any] = {}
    if options["params"] is not None and not options["optimize"]:
        saved, settings, kept = read_parameters(options["params"])
        if options["operator"] not in (None, saved):
            raise UsageError(f"{options['params']} is for {saved}, not {options['operator']}")
        name = saved
    settings |= _settings(options["sets"])
    screen = _options.display_of({**options, "display": options["display"] or kept.get("display")})
    for choice in CHOICES:
        default = options[choice] is None or options[choice] in (False, "clip")
        options[choice] = kept.get(choice) if default and choice in kept else options[choice]
    wide = screen is not None and screen.eotf in ("pq", "hlg")
    return plan(
        name,
        settings,
        display=screen,
        colour=options["colour"],
        saturation=options["saturation"],
        levels=options["levels"],
        gamut=options["gamut"],
        wrap=options["wrap"],
        bits=int(options["bits"] or (16 if wide else 8)),
        dither=options["dither"],
        seed=options["seed"],
    )


def _report(done: Iterable[Any], total: int, options: dict[str, Any]) -> None:
    failed = 0
    notes = Notes()
    for found in _progress.bar(done, total):
        for text in found.notes:
            notes.add(f"{found.source.name}: {text}", [found.source])
        if found.error:
            failed += 1
            say(f"hdrq: {found.error}")
    notes.finish()
    if failed:
        raise SystemExit(NOTHING_DONE if failed == total else SOME_FAILED)


def _enhance(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    from hdrq.image.devices import device_of
    from hdrq.tonemapping.enhance import enhance_files, enhancer
    from hdrq.tonemapping.files import jobs

    if options["quality"] is None:
        raise UsageError("--enhance needs a target quality; add for example --quality 0.9")
    device = device_of(options["device"])
    net = enhancer(options["enhance"], device)
    todo = jobs(sources, target, options["suffix"] or ".png")
    done = enhance_files(
        todo, net, options["quality"], device, options["seed"], _options.selection_of(options)
    )
    _report(done, len(todo), options)


def _expand(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    from hdrq.registry import find
    from hdrq.tonemapping.files import expand_files, jobs

    operator = find("expander", options["expand"])
    settings = operator.settings(_settings(options["sets"]))
    todo = jobs(sources, target, options["suffix"] or ".exr")
    mask = "-clipped" if options["mask"] else None
    with spread_of(options) as spread:
        light, select = scene_photometry(options), _options.selection_of(options)
        done = expand_files(todo, operator, settings, light, mask, select, spread or here)
        _report(done, len(todo), options)
