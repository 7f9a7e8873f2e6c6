"""Distil metrics into a small network: rows, teacher scores, checks, training, report.

Every result is stored when it is made: rows in set.csv, teacher scores in scores.sqlite, the training in last.pt.
With resume=True, an interrupted distillation continues from them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hdrq.distillation.checks import SIMPLE, SIMPLE_BLIND, check, cost, draw_coverage
from hdrq.distillation.from_mos import records_from_mos
from hdrq.distillation.outcome import (
    IMAGES,
    Distilled,
    Note,
    Record,
    keep_settings,
    refuse_too_few,
    request_for,
)
from hdrq.distillation.rendering import refuse_light
from hdrq.distillation.report import write_report
from hdrq.distillation.rows import Row, Rows, read_rows, write_rows
from hdrq.distillation.sources import Sources
from hdrq.distillation.split import split
from hdrq.distillation.student import (
    RenderedRows,
    better,
    bytes_needed,
    channels_of,
    items_of,
    label_of,
    split_domains,
)
from hdrq.distillation.task import Task, build_set, settings_for
from hdrq.distillation.teacher_scores import Cache, Scored, quality_scale, score_rows, stored_scores
from hdrq.encoding.code_images import clipped_line
from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.records import Viewing
from hdrq.scoring.binding import metric
from hdrq.scoring.scorer import Scorer
from hdrq.training.batches import Item
from hdrq.training.checkpoint import LAST, Saved
from hdrq.training.estimate import duration
from hdrq.training.loop import fit
from hdrq.training.network import build_apart
from hdrq.training.run_folder import SETTINGS, removed_if_refused
from hdrq.training.settings import Settings
from hdrq.training.start_weights import start_weights
from hdrq.work import Spread

# rows on which the simple metrics are compared with the teacher
_SIMPLE_ROWS = 2000
_SET, _SCORES = "set.csv", "scores.sqlite"


def records(
    task: Task,
    folder: Path,
    *,
    device: torch.device | None = None,
    resume: bool = False,
    cache: Path | None = None,
    dry_run: bool = False,
    spread: Spread | None = None,
) -> Iterator[Record]:
    """Distil. Wrong names, settings and initial weights raise at once, before an image is read.

    cache    SQLite file of scores, by default FOLDER/scores.sqlite; several distillations may share it
    dry_run  make the set, time one batch of each teacher and one step of the student, and stop
    spread   divides the teachers' work among other processes
    """
    device = device or torch.device("cpu")
    if (folder / LAST).exists() and not (resume or dry_run):
        raise UsageError(
            f"{folder} holds a distillation already; add --resume to continue it, or name another folder with -o"
        )
    settings = settings_for(task)
    start = start_weights(settings)
    start(build_apart(settings))
    if task.from_mos:
        return records_from_mos(task, settings, folder, device, resume, dry_run, start)
    light = Photometry(viewing=Viewing(task.ppd))
    teachers = [metric(t, photometry=light, device=device) for t in task.teachers]
    if not teachers:
        raise UsageError("name a --teacher; see: hdrq list metrics")
    usual = SIMPLE_BLIND if task.undistorted else SIMPLE
    simple = [metric(t, photometry=light, device=device) for t in usual if t not in map(str, teachers)]
    return _records(task, settings, teachers, simple, folder, device, resume, cache, dry_run, start, spread)


def _records(
    task: Task,
    settings: Settings,
    teachers: list[Scorer],
    simple: list[Scorer],
    folder: Path,
    device: torch.device,
    resume: bool,
    cache_path: Path | None,
    dry_run: bool,
    start: Callable[[nn.Module], None],
    spread: Spread | None,
) -> Iterator[Record]:
    with removed_if_refused(folder) as begins:
        folder.mkdir(parents=True, exist_ok=True)
        cache = Cache(cache_path or folder / _SCORES)
        rows, found, left = build_set(task, cache)
        files = {str(s.path): s.sha256 for s in found}
        # without settings, set.csv is from a dry run, or of a run that is begun anew
        if resume and (folder / SETTINGS).exists():
            _refuse_other_set(rows, folder / _SET)
        write_rows(rows, folder / _SET)
        parts = split(rows, found, task.hold_out, task.seed)
        settings = replace(settings, source=f"{'+'.join(map(str, teachers))} on {rows.digest()}")
        if settings.encoding == "srgb":
            for row in rows:
                refuse_light(row)
        yield from (Note(f"skipped: {line}") for line in left)
        if line := clipped_line({str(s.path): s.clipped for s in found if s.clipped}):
            yield Note(line)
        yield Note(
            f"{len(rows)} rows of {len({r.scene for r in rows})} scenes: {len(parts.train)} for training, "
            f"{len(parts.validation)} for choosing the best epoch, {len(parts.held_out)} held out{_listed(parts.scenes)}"
        )
        refuse_too_few(len(parts.validation))
        sources = Sources()
        images = RenderedRows(
            folder / IMAGES, rows, files, channels_of(settings), settings.encoding, task.keep_pixels
        )
        unlabelled = items_of(parts.train, np.full(len(parts.train), 0.5), settings.net)
        if settings.align and not all(split_domains(parts.train, unlabelled)):
            raise UsageError(
                "domain adaptation needs images on SDR and on brighter displays; add --displays sdr,bright and SDR images"
            )
        stored_bytes = bytes_needed(rows, settings) if images.keep else 0
        yield from map(Note, cost(settings, unlabelled, images, device, stored_bytes))
        if not dry_run:
            keep_settings(folder, settings, task, resume, cache_path)
        for scorer in teachers:
            for record in _teacher_scores(rows, scorer, files, cache, sources, task.batch, dry_run, spread):
                if isinstance(record, Scored) and record.done:
                    begins()
                yield record
    if dry_run:
        return
    scores = [stored_scores(rows, s, files, cache) for s in teachers]
    scales = [quality_scale(s, v) for s, v in zip(teachers, scores)]
    quality = np.mean([scale.quality(v) for scale, v in zip(scales, scores)], 0)
    for scorer in simple:
        yield from score_rows(parts.train[:_SIMPLE_ROWS], scorer, files, cache, sources, task.batch, spread)
    compared = check(
        quality[[r.number for r in parts.train]],
        {str(s): stored_scores(parts.train[:_SIMPLE_ROWS], s, files, cache) for s in simple},
    )
    yield from (Note(line) for line in compared.lines())
    yield from map(Saved, draw_coverage(compared, " and ".join(map(str, teachers)), folder))

    def items(chosen: Sequence[Row]) -> list[Item]:
        return items_of(chosen, label_of(settings.net, quality[[r.number for r in chosen]]), settings.net)

    train, target = items(parts.train), list[Item]()
    if settings.align:
        train, target = split_domains(parts.train, train)
    yield from fit(
        settings,
        train,
        items(parts.validation),
        folder,
        target=target,
        device=device,
        start=start,
        resume=resume,
        images=images,
    )
    done = sorted({r.distortion for r in rows})
    results: dict[str, Any] = {
        "teacher": [str(t) for t in teachers],
        "teacher_scale": [[scale.worst, scale.best] for scale in scales],
        "distortions": done,
        "cheap": {k: round(v, 4) for k, v in compared.simple.items()},
    }
    if len(teachers) == 1 and teachers[0].unit == "JOD":
        # metrics then give JOD = line[0] + line[1] * score
        worst, best = scales[0].worst, scales[0].best
        results["jod"] = [worst, best - worst] if better(settings.net) == "higher" else [best, worst - best]
    places = sorted({Path(r.source).parent.name for r in rows})
    way = "not distorted" if task.undistorted else f"distorted by {', '.join(done)}"
    data = f"{len(rows)} rows cut from {', '.join(places)}, {way}"
    taught = ", ".join(map(str, teachers))
    written = write_report(
        settings, task.called, taught, data, results, items(parts.held_out), folder, images, device, task.half
    )
    yield Distilled(*written, request_for(settings, task.called))
    cache.close()
    shutil.rmtree(folder / IMAGES, ignore_errors=True)


def _refuse_other_set(rows: Rows, path: Path) -> None:
    """Raise UsageError where a folder holds another set; a longer set of the same rows is accepted."""
    if path.exists():
        before = read_rows(path)
        if len(before) > len(rows) or any(old != new for old, new in zip(before, rows)):
            raise UsageError(
                f"{path} holds another set; give the same images and settings, or name another folder with -o"
            )


def _listed(names: Sequence[str], most: int = 8) -> str:
    """ " (A, B and 3 more)", or nothing without names."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return f" ({', '.join([*names[:most], *more])})" if names else ""


def _teacher_scores(
    rows: Rows,
    scorer: Scorer,
    files: Mapping[str, str],
    cache: Cache,
    sources: Sources,
    batch: int,
    dry_run: bool,
    spread: Spread | None = None,
) -> Iterator[Record]:
    """Compute a teacher's scores. The time is estimated after the second batch, because the first builds tables."""
    timed = 0
    for scored in score_rows(rows, scorer, files, cache, sources, batch, spread):
        yield scored
        timed += scored.new > 0
        if timed == 2 and scored.new:
            each = scored.seconds / scored.new
            yield Note(
                f"{scorer}: {each:.3f} s a row, {duration(each * (scored.total - scored.done))} remaining"
            )
            if dry_run:
                return
            timed += 1
