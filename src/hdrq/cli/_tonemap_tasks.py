"""The tasks of `hdrq tonemap`: tone mapping, optimisation, expansion, enhancement and the contact sheet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _progress, _records, _tables
from hdrq.cli._messages import SOME_FAILED, note, say
from hdrq.cli._numbers import FINITE
from hdrq.cli._outputs import report
from hdrq.cli._records import spread_of
from hdrq.cli._tonemap_options import DISPLAY, refuse_idle_display, refuse_needless
from hdrq.errors import UsageError


def tonemap(sources: list[Path], target: Path | None, options: dict[str, Any], given: set[str]) -> None:
    """Tone-map every file, after an optimisation with --optimize."""
    from hdrq.tonemapping.api import jobs, parameters_of

    todo = jobs(sources, target, options["suffix"]) if target is not None else []
    made = _plan(options, given)
    refuse_idle_display(made, given)
    if options["optimize"]:
        if len(sources) != 1 or sources[0].is_dir() or options["temporal"] is not None:
            raise UsageError("--optimize takes one image; apply its --params to others")
        made = optimized(sources[0], made, options, scene_photometry(options))
    if options["save_params"] is not None:
        text = parameters_of(made, options["display"], options, options["gain_map"])
        _tables.write_text(text, str(options["save_params"]))
    if target is not None:
        if options["cluster"] and options["temporal"] is not None:
            raise UsageError(
                "--temporal processes frames in order, which --cluster cannot divide; give only one"
            )
        with spread_of(options) as spread:
            done = hdrq.tonemap_files(
                todo,
                operator=made,
                photometry=scene_photometry(options),
                select=_records.selection_of(options),
                device=options["device"],
                temporal=options["temporal"],
                gain_map=options["gain_map"],
                spread=spread,
            )
            report(done, len(done))


def _plan(options: dict[str, Any], given: set[str]) -> Any:
    """The plan of --params, changed by the options that are given; `options` then holds the choices of both."""
    from hdrq.tonemapping.api import DISPLAY_CHANGES, plan, read_parameters

    settings: dict[str, Any] = {}
    name = options["operator"] or "reinhard"
    if options["params"] is not None and not options["optimize"]:
        saved, settings, choices = read_parameters(options["params"])
        if options["operator"] not in (None, saved):
            raise UsageError(f"{options['params']} is for {saved}, not {options['operator']}")
        name = saved
        # of the file's display
        other = {"display", *DISPLAY_CHANGES} if "display" in given else set()
        options |= {k: v for k, v in choices.items() if k not in given | other}
    refuse_needless(given, {name for name, value in options.items() if value})
    settings |= _records.set_values(options["sets"], "key=0.18")
    screen = _records.display_of(options)
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
        auto=(options["weights"] or "default") if options["auto"] else "",
        bits=int(options["bits"] or (16 if wide else 8)),
        dither=options["dither"],
        seed=options["seed"],
        primaries=options["primaries"],
    )


def enhance(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    """Reconstruct every file with the quality --quality."""
    if options["quality"] is None:
        raise UsageError("--enhance needs a target quality; add for example --quality 0.9")
    wanted = [
        FINITE.convert(part, click.Option(["--quality"]), None) for part in str(options["quality"]).split(",")
    ]
    done = hdrq.enhance_files(
        sources,
        target,
        options["enhance"],
        wanted[0] if len(wanted) == 1 else wanted,
        suffix=options["suffix"],
        select=_records.selection_of(options),
        device=options["device"],
        seed=options["seed"],
    )
    report(done, len(done))


def expand(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    """Expand every SDR file to light."""
    from hdrq.tonemapping.api import expansion

    made = expansion(options["expand"], _records.set_values(options["sets"], "gamma=2.2"))
    with spread_of(options) as spread:
        done = hdrq.expand_files(
            sources,
            target,
            made,
            suffix=options["suffix"],
            mask="-clipped" if options["mask"] else None,
            photometry=scene_photometry(options),
            primaries=options["primaries"],
            select=_records.selection_of(options),
            spread=spread,
        )
        report(done, len(done))


def scene_photometry(options: dict[str, Any]) -> Any:
    """How the input is read: --display and --primaries describe the output."""
    return _records.photometry_of({**options, **dict.fromkeys((*DISPLAY, "primaries"))})


def contact_sheet(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    """Write the contact sheet of the operators given by --compare."""
    from hdrq.tonemapping.api import compare

    if len(sources) != 1 or sources[0].is_dir():
        raise UsageError("--compare takes one image")
    label = options["score"] or "tmqi"
    choices = {n: options[n] for n in ("colour", "saturation", "levels", "gamut", "wrap", "primaries")}
    tiles, write = compare(
        sources[0],
        target,
        options["compare"],
        None if label == "none" else label,
        photometry=scene_photometry(options),
        select=_records.selection_of(options),
        **choices,
    )
    found = list(_progress.bar(tiles, len(tiles)))
    made = [tile for tile in found if not tile.error]
    for tile in found if made else ():
        if tile.error:
            say(f"hdrq: {tile.operator}: {tile.error}")
    if label != "none" and made and all(tile.score is None for tile in made):
        side = hdrq.metric(label).scorer.metric.card.side
        note(f"the contact sheet has no scores: {label} needs images of at least {side} pixels a side")
    for text in write(found):
        note(text)
    if any(tile.error for tile in found):
        raise SystemExit(SOME_FAILED)


def optimized(source: Path, made: Any, options: dict[str, Any], photometry: Any) -> Any:
    """The plan with the best parameters; prints the values before and after."""
    from hdrq.tonemapping.api import Tuned, optimize, parameters_of

    steps, value_of = optimize(
        source,
        made,
        options["optimize"],
        iterations=options["iterations"],
        seed=options["seed"],
        photometry=photometry,
        select=_records.selection_of(options),
    )
    seen = list(_progress.bar(steps, len(steps)))
    last = next(s for s in reversed(seen) if isinstance(s, Tuned))
    value = value_of("reinhard")
    sign = 1 if last.better == "higher" else -1
    if sign * value > sign * last.after:
        note(
            f"{last.operator} is worse than reinhard with its defaults, which gives {value:.4f}; try --operator reinhard"
        )
    click.echo(
        f"{last.metric} of {last.operator} ({last.better} is better): {last.before:.4f} before, {last.after:.4f} after"
    )
    click.echo(
        f"  measured on the written code, {made.bits} bits; optimised by {last.method}, {last.evaluations} evaluations"
    )
    for name in last.fixed:
        click.echo(f"  {name} unchanged: {last.metric} uses only luminance")
    for name, number in last.parameters.items():
        click.echo(f"  {name} = {number:.6g}" if isinstance(number, float) else f"  {name} = {number}")
    if last.levels is not None:
        click.echo("  levels = {:.6g},{:.6g}".format(*last.levels))
    made = replace(made, settings=last.parameters, levels=last.levels)
    if options["params"] is not None:
        measured = {"metric": last.metric, "before": last.before, "after": last.after, "image": source.name}
        text = parameters_of(made, options["display"], options, options["gain_map"], **measured)
        _tables.write_text(text, str(options["params"]))
    return made
