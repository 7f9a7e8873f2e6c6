"""hdrq tonemap: HDR to a display, and SDR back to HDR."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.cli import tables as _tables
from hdrq.cli.app import NOTHING_DONE, SOME_FAILED, say
from hdrq.errors import UsageError
from hdrq.registry import names


def _complete(kind: str) -> Any:
    return lambda ctx, param, incomplete: [n for n in names(kind) if n.startswith(incomplete)]


@click.command(short_help="Tone-map HDR pictures, compare and tune operators, expand SDR.")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="[OUT]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--operator",
    metavar="NAME",
    shell_complete=_complete("tonemapper"),
    help="Tone mapper.  [default: reinhard; sigmoid with --optimize]",
)
@click.option(
    "--set", "sets", multiple=True, metavar="NAME=VALUE", help="A parameter of the operator; repeat for more."
)
@click.option(
    "--params",
    metavar="FILE.json",
    type=click.Path(path_type=Path),
    help="Operator and parameters of this file; with --optimize, write them here.",
)
@click.option(
    "--colour", metavar="NAME", help="schlick, linear, mantiuk-power, mantiuk-linear, pouli, luminance."
)
@click.option("--saturation", type=float, metavar="S", help="Of the colour correction.")
@click.option("--gamut", default="clip", show_default=True, metavar="NAME", help="clip, desaturate or scale.")
@click.option("--bits", type=click.Choice(["8", "16"]), help="Of the code.  [default: 8, 16 for PQ and HLG]")
@click.option("--dither", is_flag=True, help="A step of noise before rounding.")
@click.option(
    "--suffix", metavar=".EXT", help="Of the files, for a folder.  [default: .png; .exr with --expand]"
)
@click.option(
    "--temporal",
    type=float,
    metavar="FRAMES",
    help="Folder of frames: adaptation follows with this time constant.",
)
@click.option("--compare", metavar="all|A,B,...", help="A sheet of operators, written to -o.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="The sheet, or OUT.")
@click.option("--score", metavar="METRIC", help="On the sheet.  [default: tmqi; none for no numbers]")
@click.option("--optimize", metavar="METRIC", help="Tune the operator's parameters for this picture.")
@click.option(
    "--iterations", type=int, default=60, show_default=True, help="Of each of three starts of --optimize."
)
@click.option(
    "--expand",
    metavar="NAME",
    shell_complete=_complete("expander"),
    help="Inverse operator: SDR in, light out.",
)
@click.option(
    "--mask", is_flag=True, help="With --expand: write where the picture is clipped, as NAME-clipped.png."
)
@click.option("--enhance", metavar="qdnet[@WEIGHTS]", help="Make a tone-mapped picture again, at --quality.")
@click.option(
    "--quality", type=float, metavar="Q", help="With --enhance: in the unit of its weights, about 0..1."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of dithering and of the starts of --optimize."
)
@_options.device_option
@_options.light_options
def tonemap(source: Path, target: Path | None, **options: Any) -> None:
    """Develop HDR pictures for a display (--display, default sdr); files or folders.

    \b
    hdrq tonemap scene.exr picture.png --operator reinhard --set key=0.3
    hdrq tonemap scene.exr picture.png --display hdr-pq-1000 --operator bt2390
    hdrq tonemap scene.exr --compare all -o sheet.png
    hdrq tonemap scene.exr best.png --optimize tmqi --params best.json
    hdrq tonemap photo.jpg light.exr --expand rempel
    hdrq tonemap picture.png better.png --enhance qdnet@NAME --quality 0.9
    """
    target = target or options["output"]
    if target is None and not options["optimize"]:
        raise UsageError("name the file to write, OUT or -o FILE")
    if target is not None and options["compare"]:
        return _compare(source, target, options)
    if target is not None and options["expand"]:
        return _expand(source, target, options)
    if target is not None and options["enhance"]:
        return _enhance(source, target, options)
    made = _plan(options)
    if options["optimize"]:
        made = _optimize(source, made, options)
    if target is None:
        return None
    from hdrq.encoding.convert import targets
    from hdrq.scoring.batch import device_of
    from hdrq.tonemapping.tonemap import develop_files

    jobs = targets(source, target, options["suffix"] or ".png")
    device = device_of(options["device"])
    _report(develop_files(jobs, made, _scene_photometry(options), device, options["temporal"]), len(jobs))


def _scene_photometry(options: dict[str, Any]) -> Any:
    """How the input is read: --display is what the output is for."""
    return _options.photometry_of(
        {
            **options,
            **dict.fromkeys(("display", "display_peak", "black", "contrast", "ambient", "reflectance")),
        }
    )


def _settings(sets: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in sets:
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise UsageError(f"--set {text} is not NAME=VALUE, such as --set key=0.18")
        found[name.strip()] = value.strip()
    return found


def _plan(options: dict[str, Any]) -> Any:
    from hdrq.encoding.displays import display
    from hdrq.tonemapping.tonemap import plan, read_parameters

    settings: dict[str, Any] = {}
    name = options["operator"] or ("sigmoid" if options["optimize"] else "reinhard")
    if options["params"] is not None and not options["optimize"]:
        kept, settings = read_parameters(options["params"])
        if options["operator"] not in (None, kept):
            raise UsageError(f"{options['params']} is for {kept}, not {options['operator']}")
        name = kept
    settings |= _settings(options["sets"])
    screen = _options.display_of(options) or display("sdr")
    bits = int(options["bits"]) if options["bits"] else (16 if screen.eotf in ("pq", "hlg") else 8)
    return plan(
        name,
        settings,
        display=screen,
        colour=options["colour"],
        saturation=options["saturation"],
        gamut=options["gamut"],
        bits=bits,
        dither=options["dither"],
        seed=options["seed"],
    )


def _report(done: Any, total: int) -> None:
    failed = 0
    for found in _progress.bar(done, total):
        for note in found.notes:
            say(f"hdrq: note: {found.source.name}: {note}")
        if found.error:
            failed += 1
            say(f"hdrq: {found.error}")
    if failed:
        raise SystemExit(NOTHING_DONE if failed == total else SOME_FAILED)


def _enhance(source: Path, target: Path, options: dict[str, Any]) -> None:
    from hdrq.encoding.convert import targets
    from hdrq.scoring.batch import device_of
    from hdrq.tonemapping.enhance import enhance_files, enhancer

    if options["quality"] is None:
        raise UsageError("--enhance wants to know how good: add --quality 0.9, say")
    device = device_of(options["device"])
    net = enhancer(options["enhance"], device)
    jobs = targets(source, target, options["suffix"] or ".png")
    _report(enhance_files(jobs, net, options["quality"], device, options["seed"]), len(jobs))


def _compare(source: Path, target: Path, options: dict[str, Any]) -> None:
    from hdrq import io
    from hdrq.scoring.scorer import metric
    from hdrq.tonemapping.contact_sheet import operators_of, sheet, tiles
    from hdrq.tonemapping.tonemap import read

    chosen = operators_of(options["compare"])
    label = options["score"] or "tmqi"
    scorer = None if label == "none" else metric(label)
    photometry = _scene_photometry(options)
    found = list(_progress.bar(tiles(read(source, photometry), chosen, scorer, photometry), len(chosen)))
    for tile in found:
        if tile.error:
            say(f"hdrq: {tile.operator}: {tile.error}")
    for note in io.write(target, sheet(found, label)):
        say(f"hdrq: note: {note}")
    if any(tile.error for tile in found):
        raise SystemExit(SOME_FAILED)


def _expand(source: Path, target: Path, options: dict[str, Any]) -> None:
    from hdrq.encoding.convert import targets
    from hdrq.registry import find
    from hdrq.tonemapping.tonemap import expand_files

    operator = find("expander", options["expand"])
    settings = operator.settings(_settings(options["sets"]))
    jobs = targets(source, target, options["suffix"] or ".exr")
    mask = "-clipped" if options["mask"] else None
    _report(expand_files(jobs, operator, settings, _scene_photometry(options), mask), len(jobs))


def _optimize(source: Path, made: Any, options: dict[str, Any]) -> Any:
    """The plan with the tuned parameters; values before and after go to stdout."""
    if source.is_dir():
        raise UsageError("--optimize tunes one picture; give a file, then use its --params on the folder")
    from hdrq.scoring.scorer import metric
    from hdrq.tonemapping.optimize import Tuned, tune
    from hdrq.tonemapping.tonemap import read

    photometry = _scene_photometry(options)
    steps = tune(
        read(source, photometry),
        made,
        metric(options["optimize"]),
        iterations=options["iterations"],
        seed=options["seed"],
        photometry=photometry,
    )
    seen = list(_progress.bar(steps, 3 * options["iterations"] + 1))
    last = next(s for s in reversed(seen) if isinstance(s, Tuned))
    click.echo(
        f"{last.metric} of {last.operator} ({last.better} is better): {last.before:.4f} before, {last.after:.4f} after"
    )
    click.echo(f"  by {last.method}, {last.evaluations} evaluations")
    for name, value in last.parameters.items():
        click.echo(f"  {name} = {value:.6g}" if isinstance(value, float) else f"  {name} = {value}")
    if options["params"] is not None:
        kept = {
            "operator": last.operator,
            "parameters": dict(last.parameters),
            "metric": last.metric,
            "before": last.before,
            "after": last.after,
            "picture": source.name,
        }
        _tables.write_text(json.dumps(kept, indent=1) + "\n", str(options["params"]))
    return replace(made, settings=last.parameters)
