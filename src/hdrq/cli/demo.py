"""hdrq demo: an example for machines without an HDR image."""

from __future__ import annotations

from pathlib import Path

import click

import hdrq
from hdrq.errors import FileError, UsageError


@click.command(short_help="Render a small HDR scene and a distorted copy, as an example.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--size", default="480x320", show_default=True, metavar="WxH", help="Size of the images.")
def demo(folder: Path, size: str) -> None:
    """Render FOLDER/ref.exr, an indoor scene in cd/m², and FOLDER/dist.exr, a distorted copy."""
    try:
        width, height = (int(n) for n in size.lower().split("x"))
    except ValueError as error:
        raise UsageError(f"--size is WIDTHxHEIGHT such as 480x320, not '{size}'") from error
    ref, dist = hdrq.demo_scene(width, height)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made: {error.strerror}") from error
    hdrq.write(folder / "ref.exr", ref, provenance={"scene": "hdrq demo"})
    hdrq.write(folder / "dist.exr", dist, provenance={"scene": "hdrq demo, distorted"})
    click.echo(f"{folder / 'ref.exr'} {folder / 'dist.exr'}")
