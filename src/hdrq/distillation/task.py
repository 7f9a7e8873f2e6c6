"""The task of a distillation, and the rows and training settings that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hdrq.distillation.mos_teacher import MOS
from hdrq.distillation.rows import Rows, read_rows
from hdrq.distillation.samples import NONE, fits, frame_of, make_set, refuse_unknown
from hdrq.distillation.sources import Source, find_sources
from hdrq.distillation.student import student_settings
from hdrq.distillation.teacher_scores import Cache
from hdrq.encoding.reading import parsed, reading_of
from hdrq.errors import FileError, UsageError
from hdrq.registry import find, names
from hdrq.scoring.request import parse
from hdrq.training.data import compares
from hdrq.training.settings import Settings

# Settings of a training that a distillation does not have, with what takes their place.
_OTHERWISE = {
    "net": "name it with --student",
    "encoding": "name it with --student, such as srgb:norvdpnet++",
    "crop": "use --crop",
    "seed": "use --seed",
    "files": "use --domain and the other options of reading",
    "source": "use --images",
    **dict.fromkeys(("source_display", "target_display"), "use --displays"),
    **dict.fromkeys(("holdout", "held_scenes", "held_subset", "held_from"), "use --hold-out"),
    **dict.fromkeys(("labels", "target_labels"), "labels are the teacher's quality"),
    **dict.fromkeys(("source_subset", "target", "target_subset"), "the rows of the set are its only images"),
    **dict.fromkeys(("test_scenes", "test_distortions"), "scenes are held out with --hold-out"),
    "meta": "leave it out",
}
# first columns of a set.csv
_HEADER = "number,source,scene"


@dataclass(frozen=True)
class Task:
    """Teachers, student, images and settings of a distillation.

    teachers  metrics whose mean quality is learnt, or "mos": the scores of the dataset or manifest in `images`
    student   [encoding:]network[@initial weights]
    images    folders, files, manifests, or the set.csv of an earlier run
    crop      side of the images, pixels, or WxH, or "whole";  central  whether they are cut from the middle of each image
    displays  on which code is shown
    hold_out  scenes excluded from training; empty: a random fifth by the seed
    settings  training settings that override those of the student
    half      store the weights in half precision
    files     what the images hold, where they do not state it; see `hdrq.encoding.reading.Reading`
    """

    teachers: tuple[str, ...]
    student: str
    images: tuple[Path, ...]
    distortions: tuple[str, ...]
    n: int = 20_000
    crop: int | str = 256
    central: bool = False
    seed: int = 0
    displays: tuple[str, ...] = ("sdr", "bright")
    hold_out: tuple[str, ...] = ()
    ppd: float = 45.0
    batch: int = 8
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    half: bool = True
    keep_pixels: bool = True
    files: Mapping[str, Any] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """Name of the weights."""
        taught = [t if t in MOS else parse(t).metric for t in self.teachers]
        return self.name or "-".join([parse(self.student).metric, "from", *taught])

    @property
    def frame(self) -> tuple[int, int]:
        """(height, width) of the images; (0, 0) for whole ones."""
        return frame_of(self.crop)

    @property
    def undistorted(self) -> bool:
        """Whether all images stay as they are."""
        return set(self.distortions) == {NONE}

    @property
    def from_mos(self) -> bool:
        """Whether the teacher is subjective scores."""
        return len(self.teachers) == 1 and self.teachers[0] in MOS


def settings_for(task: Task) -> Settings:
    """Training settings of the student. UsageError where it is not a network or cannot read the set."""
    student = parse(task.student)
    if not find("metric", student.metric).card.net:
        some = ", ".join(n for n in names("metric") if find("metric", n).card.net)
        raise UsageError(f"{student.metric} is not a network and cannot be a student; networks are {some}")
    for name in task.settings:
        if (head := name.replace("-", "_").partition(".")[0]) in _OTHERWISE:
            raise UsageError(f"a distillation has no setting '{head}'; {_OTHERWISE[head]}")
    encoding = student.stages[-1] if student.stages else "pu21"
    settings = student_settings(student.metric, encoding, task.frame, student.weights, task.settings)
    if not task.from_mos:
        if not task.distortions:
            raise UsageError("name at least one distortion with --distortions; see: hdrq list distortions")
        refuse_unknown(task.distortions)
        comparing = [m for m in (student.metric, *(parse(t).metric for t in task.teachers)) if compares(m)]
        if task.undistorted and comparing:
            raise UsageError(
                f"{comparing[0]} compares with a reference, and without distortion nothing differs from it; use "
                "no-reference teachers such as pu21:brisque and students such as norvdpnet++, or other --distortions"
            )
    taught = [] if task.from_mos else [parse(t).metric for t in task.teachers]
    side, needs = max((find("metric", m).card.side, m) for m in (student.metric, *taught))
    if task.frame != (0, 0) and min(task.frame) < side:
        raise UsageError(f"{needs} needs images of at least {side} pixels a side; use --crop {side}")
    if task.files.get("scale") is not None and not task.from_mos:
        raise UsageError("scale has no effect on light whose peak is drawn for each row; leave it out")
    return replace(settings, seed=task.seed, files=dict(task.files))


def build_set(task: Task, cache: Cache) -> tuple[Rows, list[Source], list[str]]:
    """(rows, their sources, lines on skipped files): made, or read from an earlier run."""
    made = [p for p in task.images if _is_set(p)]
    found: list[Source] = []
    left: list[str] = []
    reading = reading_of(task.files)
    if made and reading.text:
        raise UsageError(f"a set states how its images are read; leave {', '.join(task.files)} out")
    if made:
        read = enumerate(r for part in made for r in read_rows(part))
        rows = Rows(r if r.number == i else replace(r, number=i) for i, r in read)
        refuse_unknown(sorted({r.distortion for r in rows}))
        scenes = {(r.source, r.reads): r.scene for r in rows}
        for (path, reads), scene in scenes.items():
            some, _ = find_sources(Path(path), cache.file, cache.keep_file, parsed(reads))
            found += [replace(s, scene=scene) for s in some]
        return rows, found, left
    for where in task.images:
        if not where.exists():
            raise FileError(f"{where} does not exist; --images takes folders, images and manifests")
        some, why = find_sources(where, cache.file, cache.keep_file, reading)
        found, left = found + some, left + why
    side = find("metric", parse(task.student).metric).card.side
    least = task.frame if task.frame[0] else (side, side)
    for s in found:
        if not fits(s.size, least):
            needed = (
                f"--crop {task.crop}" if task.frame[0] else f"the {side} pixels a side that the student needs"
            )
            left.append(f"{s.path} is {s.size[1]}x{s.size[0]}, smaller than {needed}")
    rows = make_set(
        [s for s in found if fits(s.size, least)],
        task.distortions,
        task.n,
        seed=task.seed,
        side=task.frame[0],
        wide=task.frame[1],
        central=task.central,
        displays=task.displays,
        reads=reading.text,
    )
    used = {r.source for r in rows}
    return rows, [s for s in found if str(s.path) in used], left


def _is_set(path: Path) -> bool:
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(_HEADER)
