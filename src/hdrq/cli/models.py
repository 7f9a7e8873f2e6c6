"""hdrq models: list, import, fetch and verify the weights of learned metrics."""

from __future__ import annotations

import ast
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _complete, _options, _records, _tables
from hdrq.cli._messages import quiet, say
from hdrq.cli._numbers import FINITE
from hdrq.registry import check


@click.group(short_help="Weights of learned metrics: list, show, import, fetch, verify.")
def models() -> None:
    """Weights of learned metrics. They are stored in $HDRQ_MODELS or the user's cache; some are distributed with hdrq."""


@models.command(name="list")
@_options.output_options
def list_(format_: str | None, output: str | None) -> None:
    """List the installed weights, and published ones that can be downloaded."""
    rows = []
    for model in hdrq.models():
        if model.note:
            say(f"hdrq: {model.note}")
        size = "" if model.megabytes is None else f"{model.megabytes:.1f} MB"
        values = (model.name, model.net, model.encoding, model.state, size, model.licence)
        rows.append(dict(zip(("name", "net", "code", "state", "size", "licence"), values)))
    columns = list(rows[0]) if rows else ["name"]
    format = _tables.format_of(format_, output)
    if format == "table":
        _tables.show_table(columns, ([str(row[c]) for c in columns] for row in rows), output=output)
    else:
        _tables.write_text(_tables.text_of(rows, format, columns), output)


@models.command()
@click.argument("name", shell_complete=_complete.weights)
def show(name: str) -> None:
    """Print the card of NAME as JSON."""
    found = hdrq.model(name)
    if found.card is None:
        said = {**(found.listed or {}), "state": f"to fetch: hdrq models fetch {name}"}
    else:
        said = {**asdict(found.card), "path": str(found.path)}
    click.echo(json.dumps(said, indent=1, ensure_ascii=False))


@models.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--as",
    "net",
    shell_complete=_complete.of("net"),
    required=True,
    metavar="NET",
    help="Network that the file belongs to: vtamiq, pieapp ...",
)
@click.option("--name", default="", help="Name of the weights.  [default: the file's name]")
@click.option(
    "--encoding",
    default="",
    metavar="NAME",
    help="Code that it was trained on, where the layout does not state it.  [default: sRGB]",
)
@click.option(
    "--white",
    default="",
    metavar="KIND",
    help="Code that the training mapped to 1.0: sdr, 255, pmax or LOW..HIGH.",
)
@click.option(
    "--layout",
    default="",
    help="Program whose names the tensors of the file have.  [default: recognised]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Build options that the tensor shapes do not determine, such as heads=12.",
)
@click.option(
    "--jod",
    nargs=2,
    type=FINITE,
    default=None,
    metavar="A B",
    help="Conversion of a score q to JOD: A + B·q.",
)
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@click.option("--half", is_flag=True, help="Store the weights in half precision.")
@click.option(
    "--shares",
    multiple=True,
    metavar="NAME",
    help="Weights that this network contains unchanged; they are referred to, not stored again.",
)
@click.option("--replace", is_flag=True, help="Replace weights that have the same name.")
def import_(
    files: tuple[Path, ...],
    net: str,
    name: str,
    encoding: str,
    white: str,
    layout: str,
    settings: tuple[str, ...],
    jod: tuple[float, float] | None,
    licence: str,
    half: bool,
    shares: tuple[str, ...],
    replace: bool,
) -> None:
    """Convert checkpoints of other programs. Every tensor must be recognised; pickles that contain code are refused.

    Several files may form one network: the heads of LPIPS or DISTS with torchvision's backbone.
    """
    check("net", net)
    card, path = hdrq.import_checkpoint(
        files,
        net,
        name=name,
        encoding=encoding,
        white=white,
        layout=layout,
        options={name: _typed(text) for name, text in _records.set_values(settings, "heads=12").items()},
        licence=licence,
        results={"jod": list(jod)} if jod else {},
        half=half,
        shares=shares,
        replace=replace,
    )
    say(
        f"{card.name}: {card.net} for {card.encoding} code (white: {card.white}), check score {card.witness['score']:.6g}"
    )
    if not encoding:
        say("the encoding was taken from the file's layout, or is sRGB; choose another with --encoding")
    click.echo(path)


@models.command()
@click.argument("name")
@click.option("--sha256", "hashes", multiple=True, metavar="HEX", help="Expected sha256, one for each file.")
@click.option("-y", "--yes", is_flag=True, help="Accept files whose sha256 is not known to hdrq.")
def fetch(name: str, hashes: tuple[str, ...], yes: bool) -> None:
    """Download published weights and convert them. An interrupted download is resumed."""
    from tqdm import tqdm

    def accept(file: str, sha256: str) -> bool:
        say(f"{file} has sha256 {sha256}; hdrq knows no sha256 to compare it with")
        return yes or click.confirm("Use it?", err=True)

    bars: dict[str, Any] = {}
    for step in hdrq.fetch_model(name, accept, hashes):
        if isinstance(step, tuple):
            file, have, total = step
            bar = bars.setdefault(
                file, tqdm(total=total, unit="B", unit_scale=True, desc=file, disable=quiet() or None)
            )
            bar.update(have - bar.n)
            continue
        for bar in bars.values():
            bar.close()
        say(f"{step.name}: {step.net} for {step.encoding} code; licence: {step.licence}")


@models.command()
@click.argument("wanted", nargs=-1, shell_complete=_complete.weights, metavar="[NAME...]")
def verify(wanted: tuple[str, ...]) -> None:
    """Check sha256, keys, shapes and the known score of the weights NAME, or of all installed ones."""
    failed = False
    for name, fault in hdrq.verify_models(*wanted):
        if fault:
            failed = True
            say(f"{name}: {fault}")
        else:
            click.echo(f"{name}: ok")
    if failed:
        raise click.exceptions.Exit(1)


def _typed(text: str) -> Any:
    """A number, true or false, or the text itself."""
    try:
        return ast.literal_eval(text.capitalize() if text in ("true", "false") else text)
    except (ValueError, SyntaxError):
        return text
