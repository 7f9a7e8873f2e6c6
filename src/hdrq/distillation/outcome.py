"""What a distillation yields, and what distillations from metrics and from subjective scores share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hdrq.distillation.task import Task
from hdrq.distillation.teacher_scores import Scored
from hdrq.errors import UsageError
from hdrq.training.checkpoint import Saved, Step, Validation
from hdrq.training.run_folder import read_settings, refuse_changes, refuse_shorter, write_settings
from hdrq.training.settings import Settings, differences

# folder of decoded or rendered images below the run folder
IMAGES = "pixels"


@dataclass(frozen=True)
class Note:
    """A line for the user."""

    text: str


@dataclass(frozen=True)
class Distilled:
    """The card that was written, its agreement with the teacher, and the request that scores with the weights."""

    card: Path
    agreement: Mapping[str, Any]
    metric: str = ""


Record = Note | Scored | Step | Validation | Saved | Distilled


def keep_settings(
    folder: Path, settings: Settings, task: Task, resume: bool, cache: Path | None = None
) -> None:
    """Write settings.json. Where the run folder has one, only the length of the training may differ.

    cache  file of teacher scores outside the folder, in which a resumed distillation finds them
    """
    if resume and (held := read_settings(folder)):
        refuse_changes(folder, differences(held[0], settings))
        refuse_shorter(folder, settings, task.settings)
    images = [str(p.resolve()) if p.exists() else str(p) for p in task.images]
    elsewhere = {"cache": str(cache.resolve())} if cache else {}
    write_settings(folder, settings, task={**asdict(task), "images": images}, **elsewhere)


def request_for(settings: Settings, name: str) -> str:
    """The request that scores with weights of this name."""
    return f"{'' if settings.encoding == 'srgb' else settings.encoding + ':'}{settings.net}@{name}"


def refuse_too_few(count: int, more: str = "more --images or a larger -n") -> None:
    if count < 3:
        few = f"{count} image{' is' if count == 1 else 's are'} too few"
        raise UsageError(f"{few} to choose the best epoch with; give {more}")
