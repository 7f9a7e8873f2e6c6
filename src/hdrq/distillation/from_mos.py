"""A distillation whose teacher is subjective scores that exist already."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from hdrq.distillation.checks import cost
from hdrq.distillation.mos_teacher import cache_for, mos_items
from hdrq.distillation.outcome import (
    IMAGES,
    Distilled,
    Note,
    Record,
    keep_settings,
    refuse_too_few,
    request_for,
)
from hdrq.distillation.report import write_report
from hdrq.distillation.student import channels_of
from hdrq.distillation.task import Task
from hdrq.errors import HdrqError, UsageError
from hdrq.training.image_checks import Remark, check_images, from_files, image_parts, refuse_missing
from hdrq.training.loop import fit
from hdrq.training.run_folder import removed_if_refused
from hdrq.training.settings import Settings


def records_from_mos(
    task: Task,
    settings: Settings,
    folder: Path,
    device: torch.device,
    resume: bool,
    dry_run: bool,
    start: Callable[[nn.Module], None],
) -> Iterator[Record]:
    """Train on the scores of `task.images`, choose the best epoch, and report on the held-out scenes."""
    if len(task.images) > 1:
        raise UsageError(
            f"subjective scores come from one dataset or manifest, and --images names {len(task.images)}; join the tables"
        )
    train, validation, held, settings, source = mos_items(
        str(task.images[0]), settings, task.hold_out, whole=task.frame == (0, 0)
    )
    refuse_too_few(len(validation), "images of more scenes with subjective scores")
    refuse_missing([*train, *validation, *held])
    parts = image_parts(settings, train, [*validation, *held], ())
    with removed_if_refused(folder) as begins:
        remarks = [
            r for r in check_images(settings, parts, from_files(settings.reading)) if isinstance(r, Remark)
        ]
        images = cache_for(folder / IMAGES, channels_of(settings), settings.reading)
        try:
            lines = list(cost(settings, train, images, device))
        except HdrqError:
            shutil.rmtree(folder / IMAGES, ignore_errors=True)
            raise
        yield Note(
            f"{source}: {len(train)} for training, {len(validation)} for choosing the best epoch, {len(held)} held out"
        )
        yield from (Note(remark.text) for remark in remarks)
        yield from map(Note, lines)
        if dry_run:
            shutil.rmtree(folder / IMAGES, ignore_errors=True)
            with suppress(OSError):
                # not empty
                folder.rmdir()
            return
        keep_settings(folder, settings, task, resume)
        for record in fit(
            settings, train, validation, folder, device=device, start=start, resume=resume, images=images
        ):
            begins()
            yield record
    written = write_report(
        settings,
        task.called,
        source,
        source,
        {"teacher": list(task.teachers)},
        held,
        folder,
        images,
        device,
        task.half,
    )
    yield Distilled(*written, request_for(settings, task.called))
    shutil.rmtree(folder / IMAGES, ignore_errors=True)
