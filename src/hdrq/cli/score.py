"""hdrq score: compute metrics of images."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrq.cli import _complete, _options, _progress, _records, _tables
from hdrq.cli._idle import Dependent
from hdrq.cli._messages import INTERRUPTED, NOTHING_DONE, SOME_FAILED, say
from hdrq.cli._numbers import COUNT, POSITIVE
from hdrq.cli._records import spread_of
from hdrq.cli._score_output import finish, reported, stream, streams
from hdrq.errors import UsageError

if TYPE_CHECKING:
    from hdrq.scoring.api import Settings


@click.command(short_help="Compute metrics of images: files, folders or a CSV manifest.")
@click.argument("paths", nargs=-1, metavar="REF DIST... | REFS/ DISTS/... | IMAGE...")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="[STAGE:]NAME[,OPTION=VALUE]",
    shell_complete=_complete.metric,
    help="Metrics to compute; repeat the option or separate by commas. See: hdrq list metrics.",
)
@click.option(
    "--pairs",
    metavar="FILE.csv|FILE.parquet|-",
    help="Manifest with columns ref, dist; other columns are copied to the output.",
)
@_options.light_options
@_options.working_option
@_options.side_options
@_options.viewing_options
@click.option(
    "--match-response",
    is_flag=True,
    help="Before scoring, fit tone and colour of the test image to the reference (protocol of SI-HDR).",
)
@_options.row_output_options
@click.option(
    "--shard",
    metavar="K/N",
    help="Score every Nth pair from the Kth on, as one job of an array; see: hdrq table join.",
)
@_options.cluster_option
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an earlier run: rows of unchanged files are taken from the output file.",
)
@click.option("--sort", is_flag=True, help="Sort the rows by the first metric, the best image first.")
@click.option(
    "--map",
    "maps",
    metavar="DIR",
    help="Write error maps to this folder, each as an EXR of floats and as a PNG in colours; of networks without a "
    "reference, maps of the gradient magnitude of their score.",
)
@click.option(
    "--map-colours",
    cls=Dependent,
    needs={"maps": ()},
    type=click.Choice(["trichromatic", "dichromatic", "monochromatic"]),
    default="trichromatic",
    show_default=True,
    help="Colours of the PNGs of visibility maps.",
)
@click.option("--jobs", type=COUNT, default=2, show_default=True, help="Number of pairs that are read ahead.")
@_options.device_option
@click.option(
    "--precision",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Precision of the arithmetic.",
)
@click.option(
    "--max-memory",
    type=POSITIVE,
    metavar="GIB",
    help="Refuse images whose metrics would need more memory.  [default: free memory]",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first image that cannot be scored.")
def score(paths: tuple[str, ...], metrics: tuple[str, ...], **options: Any) -> None:
    """Score test images against references, or on their own.

    \b
    hdrq score ref.exr dist.exr -m pu-psnr -m pu-ssim
    hdrq score ref.exr a.exr b.exr c.exr -m pu-psnr --sort
    hdrq score refs/ dists/ -m hdrvdp3 --ppd 60 -o scores.csv
    hdrq score --pairs list.csv -m pu-psnr,pu-ssim --resume -o scores.csv
    hdrq score photos/ -m niqe --sort
    hdrq score frames/ coded/ -m hdrvqm,mode=video       # folders of frames as sequences
    hdrq score clip.mp4 coded.mkv -m cvvdp,mode=video
    hdrq score clip.mp4 coded.mkv -m pu-psnr --frames 0:100:10

    Float files (.exr, .hdr, .pfm) are interpreted as cd/m² unless --scale, --peak or --white is given. For clips,
    metrics of images give the mean over the frames.
    """
    if not metrics:
        raise UsageError("no metric is given; add -m pu-psnr, and see: hdrq list metrics")
    format = _tables.format_of(options["format_"], options["output"], parquet=True)
    photometry, settings = _records.photometry_of(options), _settings(options)
    from hdrq.cluster.api import Shard, run_of
    from hdrq.scoring.api import TableRun

    work = TableRun(metrics, photometry, settings, divided=bool(options["cluster"]))
    shard = Shard.parse(options["shard"]) if options["shard"] else None
    if shard and options["sort"]:
        raise UsageError(
            "--sort needs the whole table and cannot be used with --shard, whose tables are joined in order"
        )
    if streams(options, format) and not paths and not options["resume"]:
        _end(*stream(work, format))
        return
    unmatched = work.match(paths, sys.stdin if options["pairs"] == "-" else options["pairs"])
    for name in unmatched:
        say(f"hdrq: skipping {name}: no matching image")
    work.keep(options["output"], options["resume"])
    if shard:
        work.take(shard, run_of)
    earlier = work.run.earlier
    try:
        with ExitStack() as stack:
            spread = stack.enter_context(spread_of(options))
            if spread is None:
                found = _progress.bar(work.rows(), len(work))
            else:
                found = work.rows(spread, stack.enter_context(_progress.meter(len(work))))
            failed, count = finish(
                reported(found), work, format, options["output"], options["sort"], _done(options, work.texts)
            )
    except KeyboardInterrupt:
        if earlier.journal is None:
            raise
        say(f"hdrq: interrupted; the rows so far are in {earlier.journal.path}; add --resume to go on")
        raise SystemExit(INTERRUPTED) from None
    earlier.done()
    _end(failed, count, bool(unmatched))


def _end(failed: int, count: int, unmatched: bool = False) -> None:
    """The exit code."""
    if count and failed == count:
        raise SystemExit(NOTHING_DONE)
    if failed or unmatched:
        raise SystemExit(SOME_FAILED)


def _done(options: dict[str, Any], texts: tuple[str, ...]) -> str:
    """What was done besides scoring, for the caption of the table."""
    said = ["response matched to the reference"] if options["match_response"] else []
    said += [f"best first by {texts[0]}"] if options["sort"] else []
    return ", ".join(said)


def _settings(options: dict[str, Any]) -> Settings:
    import torch

    from hdrq.scoring.api import Settings

    return Settings(
        device=options["device"],
        dtype=getattr(torch, options["precision"]),
        match_response=options["match_response"],
        maps=Path(options["maps"]) if options["maps"] else None,
        map_colours=options["map_colours"],
        jobs=options["jobs"],
        fail_fast=options["fail_fast"],
        max_memory=options["max_memory"] * 2**30 if options["max_memory"] else None,
        select=_records.selection_of(options),
        select_ref=_records.selection_of(options, "ref"),
        select_dist=_records.selection_of(options, "dist"),
    )
