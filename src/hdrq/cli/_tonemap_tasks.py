"""The tasks of `hdrq tonemap` that write an output for every input: tone mapping, expansion and enhancement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hdrq
from hdrq.cli import _records
from hdrq.cli import tables as _tables
from hdrq.cli._cluster import spread_of
from hdrq.cli._tonemap_compare import scene_photometry
from hdrq.cli._tonemap_options import refuse_idle_display
from hdrq.cli._written import report
from hdrq.errors import UsageError


def tonemap(sources: list[Path], target: Path | None, options: dict[str, Any], given: set[str]) -> None:
    """Tone-map every file, after an optimisation with --optimize."""
    from hdrq.cli._optimize import optimized
    from hdrq.tonemapping.api import jobs, parameters_of

    todo = jobs(sources, target, options["suffix"]) if target is not None else []
    made = _plan(options)
    refuse_idle_display(made, given)
    if options["optimize"]:
        if len(sources) != 1 or sources[0].is_dir() or options["temporal"] is not None:
            raise UsageError("--optimize takes one image; apply its --params to others")
        made = optimized(sources[0], made, options, scene_photometry(options))
    if options["save_params"] is not None:
        _tables.write_text(parameters_of(made, options["display"]), str(options["save_params"]))
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


def _plan(options: dict[str, Any]) -> Any:
    """The plan of --params, changed by the other options."""
    from hdrq.tonemapping.api import CHOICES, plan, read_parameters

    settings: dict[str, Any] = {}
    name = options["operator"] or "reinhard"
    saved_choices: dict[str, Any] = {}
    if options["params"] is not None and not options["optimize"]:
        saved, settings, saved_choices = read_parameters(options["params"])
        if options["operator"] not in (None, saved):
            raise UsageError(f"{options['params']} is for {saved}, not {options['operator']}")
        name = saved
    settings |= _records.set_values(options["sets"], "key=0.18")
    screen = _records.display_of({**options, "display": options["display"] or saved_choices.get("display")})
    for choice in CHOICES:
        default = options[choice] is None or options[choice] in (False, "clip")
        options[choice] = (
            saved_choices.get(choice) if default and choice in saved_choices else options[choice]
        )
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
    done = hdrq.enhance_files(
        sources,
        target,
        options["enhance"],
        options["quality"],
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
