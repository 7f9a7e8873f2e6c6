"""What is asked of a distillation: the task, the student's run, the set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hdrq.distillation.mos_teacher import OPINIONS
from hdrq.distillation.samples import Row, make_set, read_rows
from hdrq.distillation.sources import Source, find_sources
from hdrq.distillation.student import run_of
from hdrq.distillation.teacher_scores import Cache
from hdrq.errors import FileError
from hdrq.scoring.request import parse
from hdrq.training.settings import Run

_HEADER = "number,source,scene"  # how a set.csv begins


@dataclass(frozen=True)
class Task:
    """What is distilled into what.

    teachers  metrics whose mean quality is learnt, or "opinions": those of the dataset or manifest named by images
    student   [encoding:]network[@weights to start from]
    images    folders, files, manifests, or a set.csv made before
    displays  screens that pictures of code are shown on
    hold_out  scenes that nothing is learnt from; without names a fifth of them, drawn by the seed
    settings  of the training run, over the student's own
    half      weights kept in half precision
    """

    teachers: tuple[str, ...]
    student: str
    images: tuple[Path, ...]
    distortions: tuple[str, ...]
    n: int = 20_000
    crop: int = 256
    seed: int = 0
    displays: tuple[str, ...] = ("sdr", "bright")
    hold_out: tuple[str, ...] = ()
    ppd: float = 45.0
    batch: int = 8
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    half: bool = True
    keep_pixels: bool = True

    @property
    def called(self) -> str:
        """Name of the weights."""
        taught = [t if t == OPINIONS else parse(t).metric for t in self.teachers]
        return self.name or "-".join([parse(self.student).metric, "from", *taught])


def run_for(task: Task) -> Run:
    """The student's training run."""
    asked = parse(task.student)
    encoding = asked.stages[-1] if asked.stages else "pu21"
    run = run_of(asked.metric, encoding, task.crop, task.settings)
    return replace(run, start=run.start or asked.weights, seed=task.seed)


def the_set(task: Task, cache: Cache) -> tuple[list[Row], list[Source], list[str]]:
    """(rows, their sources, what was left out): made, or read where one was made before."""
    made = [read_rows(p) for p in task.images if _is_set(p)]
    found: list[Source] = []
    left: list[str] = []
    if made:
        rows = [replace(r, number=i) for i, r in enumerate(r for part in made for r in part)]
        scenes = {r.source: r.scene for r in rows}
        for path, scene in scenes.items():
            some, _ = find_sources(Path(path), cache.file, cache.keep_file)
            found += [replace(s, scene=scene) for s in some]
        return rows, found, left
    for where in task.images:
        if not where.exists():
            raise FileError(f"{where} does not exist; --images takes folders, pictures and manifests")
        some, why = find_sources(where, cache.file, cache.keep_file)
        found, left = found + some, left + why
    rows = make_set(found, task.distortions, task.n, seed=task.seed, side=task.crop, displays=task.displays)
    used = {r.source for r in rows}
    return rows, [s for s in found if str(s.path) in used], left


def _is_set(path: Path) -> bool:
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(_HEADER)
