"""hdrq info: contents of image files."""

from __future__ import annotations

from typing import Any

import click

import hdrq
from hdrq.cli import _options, _records, _tables

_SHOWN = {
    "format": "format",
    "size": "size",
    "kind": "stored as",
    "domain": "interpreted as",
    "primaries": "primaries",
    "white": "value 1 is",
    "range": "luminance",
    "values": "values",
    "gain map": "gain map",
    "layers": "layers",
    "pages": "pages",
    "frames": "frames",
    "exposure": "exposure",
    "mastering": "mastering",
    "notes": "notes",
    "error": "error",
}


@click.command(short_help="Show the contents of image files and how they are interpreted.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@_options.light_options
@_options.output_options
def info(files: tuple[str, ...], format_: str | None, output: str | None, **options: Any) -> int:
    """Show the contents of image files and how hdrq interprets them.

    Size, bit depth, domain, primaries, range of luminance, non-finite values, layers, gain map, exposure data. Options
    that describe the files apply as in all other commands. Exit code 1 if some files cannot be read, 3 if
    none can.
    """
    photometry, select = _records.photometry_of(options), _records.selection_of(options)
    found = [hdrq.describe(path, select=select, photometry=photometry) for path in files]
    format = _tables.format_of(format_, output)
    if format == "table":
        cells: list[tuple[str, ...]] = []
        for path, one in zip(files, found):
            rows = [(_SHOWN[k], v) for k, v in _row(one.record()).items() if v]
            cells += [(path if i == 0 else "", *row) for i, row in enumerate(rows)]
        _tables.show_table(("file", "", ""), cells, output=output)
    else:
        records = [one.record() for one in found]
        flat = records if format in ("json", "jsonl") else [_flat(r) for r in records]
        _tables.write_text(_tables.text_of(flat, format, list(records[0])), output)
    failed = [one for one in found if one.error]
    for one in failed:
        click.echo(f"hdrq info: {one.error}", err=True)
    return 0 if not failed else 3 if len(failed) == len(found) else 1


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    return {k: "; ".join(map(str, v)) if isinstance(v, tuple) else v for k, v in record.items()}


def _row(r: dict[str, Any]) -> dict[str, str]:
    """A record as words."""
    if r["error"]:
        return dict.fromkeys(_SHOWN, "") | {"error": r["error"]}
    light = ""
    if r["high"] is not None:
        unit = "cd/m²" + (" if the values are absolute" if r["relative"] else "")
        light = f"{r['low']:.4g} to {r['high']:.4g}, mean {r['mean']:.4g} {unit}; {r['stops']:.1f} stops"
    values = [
        f"{r[k]:,} {word}"
        for k, word in (("nonfinite", "NaN or Inf"), ("negative", "negative"), ("zeros", "zero"))
        if r[k]
    ]
    mastering = ", ".join(f"{k} {v:g}" for k, v in r["mastering"].items())
    return {
        "format": r["format"],
        "size": f"{r['width']} x {r['height']}, {r['channels']} channel{'s' if r['channels'] > 1 else ''}",
        "kind": r["kind"],
        "domain": {"nits": "light, cd/m²", "linear": "linear light"}.get(r["domain"], f"{r['domain']} code"),
        "primaries": r["primaries"],
        "white": f"{r['white_nits']:g} cd/m²" if r["white_nits"] else "",
        "range": light,
        "values": ", ".join(values),
        "gain map": f"layers {', '.join(r['renditions'])}" if r["gain_map"] else "",
        "layers": ", ".join(r["layers"]),
        "pages": ", ".join(r["pages"]) if len(r["pages"]) > 1 else "",
        "frames": r["frames"],
        "exposure": r["exposure"],
        "mastering": mastering,
        "notes": "; ".join(r["notes"]),
        "error": "",
    }
