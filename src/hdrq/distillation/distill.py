"""Any metric into a small fast network, from top to bottom: set, teacher, checks, training, account.

Yields what happens. Everything is kept as it is made: the set in set.csv, the teacher's scores in scores.sqlite,
the training in last.pt; run again with resume=True, it goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.distillation.checks import CHEAP, check, clock, costs
from hdrq.distillation.mos_teacher import OPINIONS, opinions, store_for
from hdrq.distillation.rendering import refuse_light
from hdrq.distillation.report import account
from hdrq.distillation.samples import Row, read_rows, shelf_of, write_rows
from hdrq.distillation.sources import Sources
from hdrq.distillation.split import split
from hdrq.distillation.student import (
    Rendered,
    better,
    channels_of,
    items_of,
    label_of,
    room_needed,
    two_domains,
)
from hdrq.distillation.task import Task, run_for, the_set
from hdrq.distillation.teacher_scores import Cache, Scored, answers, scale_of, teach
from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.records import Viewing
from hdrq.scoring.scorer import Scorer, metric
from hdrq.training.feed import Item
from hdrq.training.settings import Run
from hdrq.training.start_weights import starter
from hdrq.training.train import Kept, Step, train
from hdrq.training.validation import Validation

_LOOKED = 2000  # rows that the cheap metrics are asked about


@dataclass(frozen=True)
class Note:
    """Something a user should read."""

    text: str


@dataclass(frozen=True)
class Distilled:
    """The card that was written and what it says of the agreement with the teacher."""

    card: Path
    agreement: Mapping[str, Any]


Record = Note | Scored | Step | Validation | Kept | Distilled


def distill(
    task: Task,
    folder: Path,
    *,
    device: torch.device | None = None,
    resume: bool = False,
    cache: Path | None = None,
    dry_run: bool = False,
) -> Iterator[Record]:
    """Distil; what can be wrong about names is wrong at once, before a picture is read.

    cache    SQLite file of scores, FOLDER/scores.sqlite if not given; runs may share one
    dry_run  make the set, time one batch of each teacher and a step of the student, and stop
    """
    device = device or torch.device("cpu")
    if not resume and any((folder / name).exists() for name in ("set.csv", "last.pt")):
        raise UsageError(
            f"{folder} holds a distillation already; add --resume to go on, or name another with -o"
        )
    run = run_for(task)
    starting = starter(run)
    if task.teachers == (OPINIONS,):
        return _from_people(task, run, folder, device, resume, dry_run, starting)
    light = Photometry(viewing=Viewing(task.ppd))
    teachers = [metric(t, photometry=light, device=device) for t in task.teachers]
    if not teachers:
        raise UsageError("name a --teacher; see: hdrq list metrics")
    cheap = [metric(t, photometry=light, device=device) for t in CHEAP]
    for name in task.distortions:
        shelf_of(name)
    return _records(task, run, teachers, cheap, folder, device, resume, cache, dry_run, starting)


def _records(
    task: Task,
    run: Run,
    teachers: list[Scorer],
    cheap: list[Scorer],
    folder: Path,
    device: torch.device,
    resume: bool,
    cache_path: Path | None,
    dry_run: bool,
    starting: Any,
) -> Iterator[Record]:
    folder.mkdir(parents=True, exist_ok=True)
    cache = Cache(cache_path or folder / "scores.sqlite")
    rows, found, left = the_set(task, cache)
    files = {str(s.path): s.sha256 for s in found}
    _same_as_before(rows, folder / "set.csv")
    write_rows(rows, folder / "set.csv")
    parts = split(rows, found, task.hold_out, task.seed)
    run = replace(run, source=f"{'+'.join(map(str, teachers))} on {_digest(rows)}")
    if run.encoding == "srgb":
        for row in rows:
            refuse_light(row)
    yield from (Note(f"left out: {line}") for line in left)
    yield Note(
        f"{len(rows)} rows of {len({r.scene for r in rows})} scenes: {len(parts.learn)} to learn from, "
        f"{len(parts.look)} to choose the best epoch by, {len(parts.held)} held out ({', '.join(_some(parts.scenes))})"
    )
    sources = Sources()
    for scorer in teachers:
        yield from _taught(rows, scorer, files, cache, sources, task.batch, dry_run)
    store = Rendered(folder / "pixels", rows, files, channels_of(run), run.encoding, task.keep_pixels)
    if dry_run:
        blank = items_of(parts.learn, np.full(len(parts.learn), 0.5), run.net)
        yield from map(Note, costs(run, blank, store, device, room_needed(rows, run) if store.keep else 0))
        return
    scores = [answers(rows, s, files, cache) for s in teachers]
    scales = [scale_of(s, v) for s, v in zip(teachers, scores)]
    quality = np.mean([scale.quality(v) for scale, v in zip(scales, scores)], 0)
    asked = parts.learn[:_LOOKED]
    for scorer in cheap:
        yield from teach(asked, scorer, files, cache, sources, task.batch)
    at = {r.number: float(q) for r, q in zip(rows, quality)}
    looked = check(
        np.array([at[r.number] for r in parts.learn]),
        {str(s): answers(asked, s, files, cache) for s in cheap},
    )
    yield from (Note(line) for line in looked.lines())

    def items(chosen: Sequence[Row]) -> list[Item]:
        return items_of(chosen, label_of(run.net, np.array([at[r.number] for r in chosen])), run.net)

    learn, look = items(parts.learn), items(parts.look)
    _enough(len(look))
    yield from map(Note, costs(run, learn, store, device, room_needed(rows, run) if store.keep else 0))
    target: list[Item] = []
    if run.align:
        learn, target = two_domains(parts.learn, learn)
    yield from train(
        run, learn, look, folder, target=target, device=device, start=starting, resume=resume, pixels=store
    )
    done = sorted({r.distortion for r in rows})
    results: dict[str, Any] = {
        "teacher": [str(t) for t in teachers],
        "teacher_scale": [[scale.worst, scale.best] for scale in scales],
        "distortions": done,
        "cheap": {k: round(v, 4) for k, v in looked.cheap.items()},
    }
    if len(teachers) == 1 and teachers[0].unit == "JOD":
        worst, best = scales[0].worst, scales[0].best  # metrics then give JOD = line[0] + line[1] * score
        results["jod"] = [worst, best - worst] if better(run.net) == "higher" else [best, worst - best]
    places = sorted({Path(r.source).parent.name for r in rows})
    data = f"{len(rows)} rows cut from {', '.join(places)}, distorted by {', '.join(done)}"
    taught = ", ".join(map(str, teachers))
    yield Distilled(
        *account(run, task.called, taught, data, results, items(parts.held), folder, store, device, task.half)
    )
    cache.close()


def _from_people(
    task: Task, run: Run, folder: Path, device: torch.device, resume: bool, dry_run: bool, starting: Any
) -> Iterator[Record]:
    """The same with opinions that are there already."""
    learn, look, held, run, source = opinions(str(task.images[0]), run, task.hold_out)
    _enough(len(look))
    store = store_for(folder / "pixels", channels_of(run))
    yield Note(
        f"{source}: {len(learn)} to learn from, {len(look)} to choose the best epoch by, {len(held)} held out"
    )
    yield from map(Note, costs(run, learn, store, device))
    if dry_run:
        return
    yield from train(run, learn, look, folder, device=device, start=starting, resume=resume, pixels=store)
    yield Distilled(
        *account(
            run, task.called, source, source, {"teacher": [OPINIONS]}, held, folder, store, device, task.half
        )
    )


def _same_as_before(rows: list[Row], path: Path) -> None:
    """A run goes on with its own set; it may have grown."""
    if path.exists():
        before = read_rows(path)
        if before != rows[: len(before)]:
            raise UsageError(
                f"{path} is another set; give the same images and settings, or name another folder with -o"
            )


def _enough(count: int) -> None:
    if count < 3:
        raise UsageError(
            f"{count} pictures are too few to choose the best epoch by; give more --images or a larger -n"
        )


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:12]


def _some(names: Sequence[str], most: int = 8) -> list[str]:
    return [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]


def _taught(
    rows: list[Row],
    scorer: Scorer,
    files: Mapping[str, str],
    cache: Cache,
    sources: Sources,
    batch: int,
    dry_run: bool,
) -> Iterator[Record]:
    """A teacher's scores, the time they will take told after the second batch: the first one builds tables."""
    timed = 0
    for scored in teach(rows, scorer, files, cache, sources, batch):
        yield scored
        timed += scored.new > 0
        if timed == 2 and scored.new:
            each = scored.seconds / scored.new
            yield Note(f"{scorer}: {each:.3f} s a row, {clock(each * (scored.total - scored.done))} to go")
            if dry_run:
                return
            timed += 1
