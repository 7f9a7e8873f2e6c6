"""hdrq score: numbers for pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.cli import tables as _tables
from hdrq.cli._resume import Kept, files_of, mark_of, refuse_unwritable
from hdrq.cli.app import INTERRUPTED, NOTHING_DONE, SOME_FAILED, say
from hdrq.errors import FileError, UsageError
from hdrq.registry import names

if TYPE_CHECKING:
    from hdrq.encoding.photometry import Photometry
    from hdrq.io.pairing import Matched
    from hdrq.records import Pair, Score
    from hdrq.scoring.batch import Settings

COLUMNS = (
    *("ref", "dist", "metric", "value", "unit", "better", "display", "viewing", "weights", "version"),
    *("how", "extra", "settings", "files", "status", "error"),
)


def _complete_metric(ctx: Any, param: Any, incomplete: str) -> list[str]:
    head, colon, tail = incomplete.rpartition(":")
    offered = [*names("metric"), *(f"{e}:" for e in names("encoding"))]
    return [head + colon + n for n in offered if n.startswith(tail)]


@click.command(short_help="Score pictures: files, folders or a CSV manifest.")
@click.argument("paths", nargs=-1, metavar="REF DIST | REFS/ DISTS/ | PICTURE...")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="[STAGE:]NAME[,OPTION=VALUE]",
    shell_complete=_complete_metric,
    help="What to compute; repeat it or separate by commas. See: hdrq list metrics.",
)
@click.option(
    "--pairs", metavar="FILE.csv|-", help="A manifest with columns ref, dist; others are carried through."
)
@_options.light_options
@_options.side_options
@_options.viewing_options
@click.option(
    "--match-response", is_flag=True, help="Fit the test image's tone and colour first (SI-HDR protocol)."
)
@_options.output_options
@click.option("--resume", is_flag=True, help="Keep the rows that are in the output already.")
@click.option("--sort", is_flag=True, help="Best first, by the first metric.")
@click.option("--map", "maps", metavar="DIR", help="Write error maps here: float EXR and a picture.")
@click.option(
    "--map-colours",
    type=click.Choice(["trichromatic", "dichromatic", "monochromatic"]),
    default="trichromatic",
    show_default=True,
    help="Of maps of visibility.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Pairs read ahead.")
@_options.device_option
@click.option(
    "--precision",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Arithmetic.",
)
@click.option(
    "--max-memory", type=float, metavar="GIB", help="Refuse what would take more.  [default: what is free]"
)
@click.option("--layer", metavar="NAME", help="Layer of a multi-layer EXR.")
@click.option("--view", metavar="NAME", help="View of a stereo EXR.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first picture that cannot be scored.")
def score(paths: tuple[str, ...], metrics: tuple[str, ...], **options: Any) -> None:
    """Score test images against references, or on their own.

    \b
    hdrq score ref.exr dist.exr -m pu-psnr -m pu-ssim
    hdrq score refs/ dists/ -m hdrvdp3 --ppd 60 -o scores.csv
    hdrq score --pairs list.csv -m pu-psnr,pu-ssim --resume -o scores.csv
    hdrq score photos/ -m niqe --sort
    hdrq score frames/ coded/ -m hdrvqm,mode=video       # folders of frames as sequences

    Float files (.exr, .hdr, .pfm) are taken as cd/m² unless --scale, --peak or --white says otherwise.
    """
    if not metrics:
        raise UsageError("no metric is given; add -m pu-psnr, and see: hdrq list metrics")
    format = _tables.format_of(options["format_"], options["output"])
    photometry, settings = _options.photometry_of(options), _settings(options)
    from hdrq.scoring.batch import scorers

    bound = scorers(metrics, photometry, settings)
    sequences = all(s.sequence for s in bound)
    matched = _pairs(paths, options["pairs"], any(s.full_reference for s in bound), sequences)
    for name in matched.lonely:
        say(f"hdrq: {name} has no partner and is left out")
    refuse_unwritable(options["output"], options["maps"])
    mark = mark_of(photometry, settings)
    kept = Kept(options["output"], options["resume"], mark)
    try:
        rows = list(_rows(matched.pairs, [str(s) for s in bound], metrics, photometry, settings, kept, mark))
    except KeyboardInterrupt:
        if kept.journal is None:
            raise
        say(f"hdrq: interrupted; the rows so far are in {kept.journal.path}; add --resume to go on")
        raise SystemExit(INTERRUPTED) from None
    if options["sort"]:
        rows = _sorted(rows, str(bound[0]))
    table = kept.merged(rows) if format != "table" else rows
    _write(table, format, options["output"], [str(s) for s in bound], matched.pairs)
    kept.done()
    failed = sum(r["status"] != "ok" for r in rows)
    if failed == len(rows):
        raise SystemExit(NOTHING_DONE)
    if failed or matched.lonely:
        raise SystemExit(SOME_FAILED)


def _settings(options: dict[str, Any]) -> Settings:
    import torch

    from hdrq.scoring.batch import Settings

    return Settings(
        device=options["device"],
        dtype=getattr(torch, options["precision"]),
        match_response=options["match_response"],
        maps=Path(options["maps"]) if options["maps"] else None,
        map_colours=options["map_colours"],
        jobs=options["jobs"],
        fail_fast=options["fail_fast"],
        max_memory=options["max_memory"] * 2**30 if options["max_memory"] else None,
        layer=options["layer"],
        view=options["view"],
    )


def _pairs(paths: tuple[str, ...], manifest: str | None, full_reference: bool, sequences: bool) -> Matched:
    from hdrq.io.pairing import Matched, alone, pair_paths, read_manifest
    from hdrq.records import Pair

    if manifest is not None:
        if paths:
            raise UsageError("--pairs and file names say what to score twice; keep one")
        if manifest == "-":
            return Matched(list(read_manifest(sys.stdin, "standard input", Path())), [])
        try:
            with open(manifest, newline="", encoding="utf-8-sig") as lines:
                return Matched(list(read_manifest(lines, manifest, Path(manifest).parent)), [])
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise FileError(f"{manifest} cannot be read: {reason}") from error
    if not paths:
        raise UsageError("nothing to score; give REF DIST, two folders, or --pairs FILE.csv")
    if not full_reference:
        return Matched(alone(paths), [])
    if len(paths) != 2:
        raise UsageError(
            f"a metric with a reference takes REF and DIST, not {len(paths)} paths; use --pairs for more"
        )
    if sequences and all(Path(p).is_dir() for p in paths):
        return Matched(
            [Pair(dist=paths[1], ref=paths[0])], []
        )  # two folders of frames are one pair of sequences
    return pair_paths(*paths)


def _rows(
    pairs: list[Pair],
    texts: list[str],
    metrics: tuple[str, ...],
    photometry: Photometry,
    settings: Settings,
    kept: Kept,
    mark: str,
) -> Iterator[dict[str, Any]]:
    """A row for each pair and metric, in order; those that are there already are not computed again."""
    from hdrq.scoring.batch import score as compute

    def there(pair: Pair, text: str) -> bool:
        return (_ref(pair), str(pair.dist), text) in kept.rows

    found = compute(pairs, metrics, photometry=photometry, settings=settings, skip=there)
    total = sum(not there(pair, text) for pair in pairs for text in texts)
    fresh = iter(_progress.bar(found, total))
    said: set[str] = set()
    for pair in pairs:
        for text in texts:
            if there(pair, text):
                yield _numbers(kept.rows[(_ref(pair), str(pair.dist), text)])
                continue
            row = _as_row(next(fresh), mark)
            _report(row, said)
            if row["status"] == "ok":
                if kept.journal is not None:
                    row["files"] = files_of(row["ref"], row["dist"])
                kept.add(row)
            yield row


def _ref(pair: Pair) -> str:
    return str(pair.ref or "")


def _as_row(found: Score, mark: str) -> dict[str, Any]:
    row = asdict(found) | {"settings": mark, "files": ""}
    carried = row.pop("carried")
    return {k: row[k] for k in COLUMNS} | {k: v for k, v in carried.items() if k not in row}


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """A row read back, its value a number again."""
    return row | {"value": float(row["value"])}


_ASKED_FOR = ("1.0 = ", "brightest value", "response matched")  # the user knows; the row says it all the same


def _report(row: dict[str, Any], said: set[str]) -> None:
    """What a user must know goes to stderr, once."""
    lines = [f"hdrq: {row['error']}"] if row["error"] else []
    lines += [
        f"hdrq: note: {note}" for note in row["how"].split("; ") if note and not note.startswith(_ASKED_FOR)
    ]
    for line in lines:
        if line not in said:
            said.add(line)
            say(line)


def _sorted(rows: list[dict[str, Any]], first: str) -> list[dict[str, Any]]:
    """Best pictures first, by the first metric; failed ones last."""
    order: dict[tuple[str, str], tuple[bool, float]] = {}
    for row in rows:
        if row["metric"] == first:
            value = row["value"]
            sign = -1 if row["better"] == "higher" else 1
            order[(row["ref"], row["dist"])] = (value is None, sign * value if value is not None else 0.0)
    return sorted(rows, key=lambda r: order[(r["ref"], r["dist"])])


def _write(
    rows: list[dict[str, Any]], format: str, output: str | None, texts: list[str], pairs: list[Pair]
) -> None:
    if format != "table":
        carried = [k for p in pairs for k in p.carried if k not in COLUMNS]
        earlier = [k for row in rows for k in row if k not in COLUMNS]
        columns = [*COLUMNS, *dict.fromkeys((*carried, *earlier))]
        _tables.write_text(_tables.text_of(rows, format, columns), output)
        return
    by_pair: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_pair.setdefault((row["ref"], row["dist"]), {})[row["metric"]] = row
    several_refs = len({ref for ref, _ in by_pair}) > 1
    lines = []
    for (ref, dist), found in by_pair.items():
        values = [
            _tables.number(found[t]["value"])
            if found[t]["status"] == "ok"
            else _tables.styled(("failed", "red"))
            for t in texts
        ]
        lines.append([*([Path(ref).name] if several_refs else []), Path(dist).name, *values])
    if len(by_pair) > 1:
        lines.append([*([""] if several_refs else []), "[bold]mean[/]", *(_mean(rows, t) for t in texts)])
    units = {r["metric"]: (r["unit"], r["better"]) for r in rows}
    heads = [_head(t, *units[t]) for t in texts]
    shown = sorted({r["display"] for r in rows if r["display"]})
    seen = sorted({r["viewing"] for r in rows if r["viewing"]})
    caption = " · ".join(filter(None, [", ".join(shown), ", ".join(seen), f"hdrq {rows[0]['version']}"]))
    title = f"against {Path(next(iter(by_pair))[0]).name}" if not several_refs and rows[0]["ref"] else ""
    columns = [*(["reference"] if several_refs else []), "test", *heads]
    _tables.show_table(columns, lines, title, heads, caption, output)


def _head(text: str, unit: str, better: str) -> str:
    arrow = "↑" if better == "higher" else "↓"
    return f"{text} {arrow}" + (f"\n{unit}" if unit not in ("", "1") else "")


def _mean(rows: list[dict[str, Any]], text: str) -> str:
    values = [r["value"] for r in rows if r["metric"] == text and r["status"] == "ok"]
    return f"[bold]{_tables.number(sum(values) / len(values))}[/]" if values else ""
