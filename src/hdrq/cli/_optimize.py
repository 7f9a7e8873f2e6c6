"""`hdrq tonemap --optimize`: run the optimisation and report the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hdrq.cli import _records
from hdrq.cli import progress as _progress
from hdrq.cli import tables as _tables
from hdrq.cli.app import note


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
        _tables.write_text(parameters_of(made, options["display"], **measured), str(options["params"]))
    return made
