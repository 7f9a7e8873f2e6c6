"""`hdrq tonemap --optimize`: run the optimisation and report the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.cli import tables as _tables
from hdrq.cli.app import note


def optimize(source: Path, made: Any, options: dict[str, Any], photometry: Any) -> Any:
    """The plan with the best parameters; prints the values before and after."""
    from hdrq.scoring.binding import metric
    from hdrq.tonemapping.files import read
    from hdrq.tonemapping.optimize import Tuned, steps_of, tune, value_of_file
    from hdrq.tonemapping.parameter_file import parameters_of
    from hdrq.tonemapping.tonemap import plan, scene_of

    scorer = metric(options["optimize"])
    image = read(source, photometry, _options.selection_of(options))

    steps = tune(
        image, made, scorer, iterations=options["iterations"], seed=options["seed"], photometry=photometry
    )
    seen = list(_progress.bar(steps, steps_of(options["iterations"])))
    last = next(s for s in reversed(seen) if isinstance(s, Tuned))
    plain = replace(made, operator=plan("reinhard").operator, settings={}).for_image(image, photometry)
    value = value_of_file(scene_of(image, photometry, plain)[0], plain, scorer)
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
        _tables.write_text(parameters_of(made, options["display"], **measured), str(options["params"]))
    return made
