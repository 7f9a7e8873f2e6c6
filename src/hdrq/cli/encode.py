"""hdrq encode: light to code, and code to light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _complete, _options, _records
from hdrq.cli._numbers import QUALITY
from hdrq.cli._outputs import report
from hdrq.cli._records import spread_of


@click.command(short_help="Encode light as PU21, PQ, HLG, sRGB ..., or decode it.")
@click.argument("paths", nargs=-1, required=True, metavar="IN... OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="ENCODING",
    shell_complete=_complete.of("encoding"),
    help="Encoding to write; with --decode, the encoding of the file. See: hdrq list encodings.",
)
@click.option("--decode", "back", is_flag=True, help="Decode code to light, cd/m².")
@_options.light_options
@_options.cluster_option
@click.option(
    "--primaries", metavar="NAME", help="Primaries to write: bt709, p3, bt2020.  [default: those of the file]"
)
@click.option(
    "--depth",
    type=click.Choice(["uint8", "uint16", "half", "float"]),
    help="Number type of the file written, where the format has several.",
)
@click.option(
    "--compression",
    metavar="NAME",
    help="Compression of EXR: none, rle, zips, zip, piz, pxr24, b44, dwaa ...",
)
@click.option(
    "--quality",
    type=QUALITY,
    metavar="N",
    help="Quality of JPEG, AVIF and JPEG XL, 1 to 100.  [default: 95 for JPEG, else lossless]",
)
@click.option(
    "--suffix",
    metavar=".EXT",
    help="Suffix of the files written when OUT is a folder.  [default: .exr]",
)
def encode(paths: tuple[Path, ...], to: str | None, back: bool, **options: Any) -> None:
    """Encode the light of files or folders of files; with --decode, decode them to light.

    \b
    hdrq encode scene.exr scene.png --to pq
    hdrq encode photo.png code.exr --to pu21 --display phone
    hdrq encode code.exr light.exr --to pu21 --decode
    """
    photometry = _records.photometry_of(options)
    if to is None and not back:
        raise click.UsageError("name an encoding with --to", click.get_current_context())
    if len(paths) < 2:
        raise click.UsageError("give one or more inputs and an output", click.get_current_context())
    with spread_of(options) as spread:
        done = hdrq.convert_files(
            paths[:-1],
            paths[-1],
            to,
            decode=back,
            suffix=options["suffix"],
            photometry=photometry,
            primaries=options["primaries"],
            depth=options["depth"],
            compression=options["compression"],
            quality=options["quality"],
            select=_records.selection_of(options),
            spread=spread,
        )
        report(done, len(done))
