"""What others use of distillation: hdrq.distill with the records that it yields, and hdrq.distillation_set."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hdrq.arguments import checked
from hdrq.distillation.distill import records
from hdrq.distillation.image_files import write_images
from hdrq.distillation.mos_teacher import MOS
from hdrq.distillation.outcome import Distilled, Note, Record
from hdrq.distillation.rows import Row, write_rows
from hdrq.distillation.samples import frame_of
from hdrq.distillation.task import Task, build_set
from hdrq.distillation.teacher_scores import Cache, Scored
from hdrq.encoding.code_images import clipped_line
from hdrq.errors import UsageError
from hdrq.image.devices import device_of
from hdrq.scoring.request import split_requests
from hdrq.training.checkpoint import Step, Validation
from hdrq.training.run_folder import entries_of, refuse_changes, removed_if_refused
from hdrq.work import Results, Spread, here

__all__ = [
    "MOS",
    "DistillationSet",
    "Distilled",
    "Note",
    "Record",
    "Scored",
    "Step",
    "Validation",
    "distill",
    "distillation_set",
    "task",
]

USUAL = ("jpegxt", "jpeg-pu", "noise", "blur")
Names = str | Sequence[str]
_LEAST = {"n": 1, "batch": 1}


@checked
def distill(
    teacher: Names = "",
    images: str | Path | Sequence[str | Path] = (),
    *,
    output: str | Path | None = None,
    cache: str | Path | None = None,
    resume: bool = False,
    dry_run: bool = False,
    device: str | torch.device = "auto",
    spread: Spread | None = None,
    **options: Any,
) -> Iterator[Record]:
    """Train a small network to predict metrics. Yields notes, scores, steps and validations, and finally Distilled.

        for record in hdrq.distill("hdrvdp3", "~/hdr", distortions=["jpegxt", "noise"], n=2000):
            ...

    teacher  a metric, several for the mean of their quality, or "mos": the scores of the dataset or manifest in `images`
    images   folders, files, manifests, or the set.csv of an earlier run
    output   run folder; by default runs/NAME.  cache  SQLite file of teacher scores, shared by several distillations
    resume   continue the distillation in the run folder, which holds the arguments that are not given again
    dry_run  check everything, time the teacher and one step, stop
    spread   divides the teachers' work among other processes (`hdrq.connect`)
    options  see `task`

    Raises UsageError, UnknownName or MissingPart before reading an image where names, settings or weights do not fit.
    """
    given = {**({"teacher": teacher} if teacher else {}), **({"images": images} if images else {}), **options}
    if resume and output is not None:
        given = resumed(Path(output), given)
    wanted = task(given.pop("teacher", ""), given.pop("images", ()), **given)
    folder = Path(output) if output else Path("runs") / wanted.called
    teacher_cache = Path(cache) if cache else _cache_of(folder) if resume else None
    return records(
        wanted,
        folder,
        device=device_of(device),
        resume=resume,
        cache=teacher_cache,
        dry_run=dry_run,
        spread=spread,
    )


@dataclass(frozen=True)
class DistillationSet:
    """Image pairs with their teachers' scores.

    path     set.csv, which `hdrq.distill` reads as `images`;  skipped  lines on files that cannot be used
    clipped  a line on files with colours outside BT.709, or ""
    """

    path: Path
    rows: Sequence[Row]
    skipped: tuple[str, ...]
    clipped: str = ""

    def write_images(self, spread: Spread | None = None, captures: bool = False) -> Results[Path]:
        """Write the images of all pairs beside set.csv, as they are rendered; the manifest pairs.csv comes last.

        captures  also write the frames or the mosaic that each capture was merged from
        """
        made = write_images(self.rows, self.path.parent / "images", spread or here, captures)
        return Results(made, len(self.rows) + 1)


@checked
def distillation_set(
    teacher: Names,
    images: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    cache: str | Path | None = None,
    **options: Any,
) -> DistillationSet:
    """Choose the image pairs of a distillation and write them as set.csv, without training; options: see `task`."""
    wanted = task(teacher, images, **options)
    folder = Path(output) if output else Path("runs") / wanted.called
    with removed_if_refused(folder):
        folder.mkdir(parents=True, exist_ok=True)
        rows, found, skipped = build_set(wanted, Cache(Path(cache) if cache else folder / "scores.sqlite"))
    cut = clipped_line({str(s.path): s.clipped for s in found if s.clipped})
    return DistillationSet(write_rows(rows, folder / "set.csv"), rows, tuple(skipped), cut)


def resumed(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the distillation in a folder, with those that are given again.

    Raises UsageError where another argument is given than the one it was begun with; the set may become larger.
    """
    held = entries_of(folder)
    if held is None or not isinstance(held.get("task"), dict):
        if "teacher" not in given or "images" not in given:
            raise UsageError(
                f"{folder} holds no distillation to resume; leave out --resume, or name its folder with -o"
            )
        return dict(given)
    before = {("teacher" if key == "teachers" else key): value for key, value in held["task"].items()}
    settings = {**before.get("settings", {}), **(given.get("settings") or {})}
    after = {**before, **given, "settings": settings}
    begun, now = asdict(task(**before)), asdict(task(**after))
    # the rows of the set and the settings are compared with those of the folder
    free = ("n", "images", "settings")
    names = {"teachers": "teacher"}
    refuse_changes(
        folder,
        [
            f"{names.get(key, key)} was {_shown(begun[key])} and is {_shown(now[key])}"
            for key in begun
            if key not in free and begun[key] != now[key]
        ],
    )
    return after


def _cache_of(folder: Path) -> Path | None:
    """The file of teacher scores that a distillation was begun with, or None where it is the folder's own or gone."""
    held = (entries_of(folder) or {}).get("cache")
    return Path(held) if held and Path(held).is_file() else None


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@checked
def task(
    teacher: Names,
    images: str | Path | Sequence[str | Path],
    *,
    student: str = "norvdpnet++",
    distortions: Names = USUAL,
    n: int = 20_000,
    crop: int | str = 256,
    central: bool = False,
    displays: Names = ("sdr", "bright"),
    hold_out: Names = (),
    seed: int = 0,
    ppd: float = 45.0,
    batch: int = 8,
    settings: Mapping[str, Any] | None = None,
    name: str = "",
    half: bool = True,
    keep_pixels: bool = True,
    files: Mapping[str, Any] | None = None,
) -> Task:
    """The arguments of a distillation as a `Task`.

    student      [encoding:]network[@initial weights]
    distortions  names (`hdrq.names("distortion")`, tone mapping operators and expanders), each at random levels up to 5; or
                 methods: tonemap:NAME, expand:NAME, merge:NAME, fuse:NAME and capture:NAME, where NAME may be NET@WEIGHTS
    n            number of image pairs;  displays  on which code is shown
    crop         side of the images, pixels, or WxH such as "1024x768", or "whole";  central  cut them from the middle of each
                 image, at its resolution, instead of from random places at resolutions of 1, 1/2 and 1/4
    hold_out     scenes excluded from training, or patterns such as "*7"; without names a random fifth of them
    ppd          pixels per degree, for teachers that need it;  batch  image pairs scored at once by a teacher
    settings     training settings by name, overriding those of the student;  name  of the weights
    half         store the weights in half precision;  keep_pixels  store rendered images instead of rendering each epoch
    files        what the images hold, where they do not state it: domain, file_primaries, nonfinite, layer, view, part, and
                 for the teacher "mos" scale
    """
    height, width = frame_of(crop)
    for key, value in (("n", n), ("batch", batch)):
        if value < _LEAST[key]:
            raise UsageError(f"{key} must be at least {_LEAST[key]}, not {value}")
        if value > sys.maxsize:
            raise UsageError(f"{key} is too large")
    if not teacher:
        raise UsageError("name a --teacher; see: hdrq list metrics")
    if not images:
        raise UsageError("name --images: a folder, files, a manifest, or a dataset for the teacher mos")
    if not 0 < ppd < float("inf"):
        raise UsageError(f"ppd must be a positive number of pixels per degree, not {ppd:g}")
    # not divided at commas, which the options of a metric contain
    taught = (teacher,) if isinstance(teacher, str) else tuple(teacher)
    given = [images] if isinstance(images, str | Path) else list(images)
    return Task(
        teachers=taught if taught and taught[0] in MOS else tuple(map(str, split_requests(taught))),
        student=student,
        images=tuple(Path(i).expanduser() for i in given),
        distortions=_listed(distortions),
        n=n,
        crop=(height if height == width else f"{width}x{height}") if height else "whole",
        central=central,
        seed=seed,
        displays=_listed(displays),
        hold_out=_listed(hold_out),
        ppd=ppd,
        batch=batch,
        name=name,
        settings=dict(settings or {}),
        half=half,
        keep_pixels=keep_pixels,
        files=dict(files or {}),
    )


def _listed(names: Names) -> tuple[str, ...]:
    """Names from a sequence, or from a text separated by commas."""
    parts = names.split(",") if isinstance(names, str) else names
    return tuple(part.strip() for part in parts if part.strip())
