"""hdrq.distill: the task by keywords, checked as at the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hdrq.distillation.distill import Record, records
from hdrq.distillation.mos_teacher import MOS
from hdrq.distillation.task import Task
from hdrq.errors import UsageError
from hdrq.scoring.batch import device_of
from hdrq.scoring.request import split_requests

USUAL = ("jpegxt", "jpeg-pu", "noise", "blur")
Names = str | Sequence[str]
_LEAST = {"n": 1, "crop": 32, "batch": 1}


def distill(
    teacher: Names,
    images: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    cache: str | Path | None = None,
    resume: bool = False,
    dry_run: bool = False,
    device: str = "auto",
    **options: Any,
) -> Iterator[Record]:
    """Train a small network to predict metrics; yields notes, scores, steps and validations, at last Distilled.

        for record in hdrq.distill("hdrvdp3", "~/hdr", distortions=["jpegxt", "noise"], n=2000):
            ...

    teacher  a metric, several for the mean of their quality, or "mos": the scores of the dataset or manifest in `images`
    images   folders, files, manifests, or a set.csv made before
    output   run folder; by default runs/NAME.  cache  SQLite file of teacher scores that several distillations share
    resume   go on with the distillation in the run folder.  dry_run  check all, time the teacher and one step, and stop
    options  see `task`

    Raises UsageError, UnknownName or MissingPart before an image is read where names, settings or weights do not fit.
    """
    asked = task(teacher, images, **options)
    folder = Path(output) if output else Path("runs") / asked.called
    kept = Path(cache) if cache else None
    return records(asked, folder, device=device_of(device), resume=resume, cache=kept, dry_run=dry_run)


def task(
    teacher: Names,
    images: str | Path | Sequence[str | Path],
    *,
    student: str = "norvdpnet++",
    distortions: Names = USUAL,
    n: int = 20_000,
    crop: int = 256,
    displays: Names = ("sdr", "bright"),
    hold_out: Names = (),
    seed: int = 0,
    ppd: float = 45.0,
    batch: int = 8,
    settings: Mapping[str, Any] | None = None,
    name: str = "",
    half: bool = True,
    keep_pixels: bool = True,
) -> Task:
    """What is asked of a distillation.

    student      [encoding:]network[@weights to start from]
    distortions  names (`hdrq.names("distortion")`; tone mappers and expanders too), each at levels 0..5
    n            image pairs;  crop  their side, pixels;  displays  show images of code
    hold_out     scenes that are not trained on, or patterns such as "*7"; without names a fifth of them, drawn by the seed
    ppd          pixels per degree, for teachers that need it;  batch  image pairs that a teacher scores at once
    settings     of the training, by name, over the student's own;  name  of the weights
    half         store the weights in half precision;  keep_pixels  store rendered images instead of rendering every epoch
    """
    for key, value in (("n", n), ("crop", crop), ("batch", batch)):
        if value < _LEAST[key]:
            raise UsageError(f"{key} must be at least {_LEAST[key]}, not {value}")
    if not 0 < ppd < float("inf"):
        raise UsageError(f"ppd must be a positive number of pixels per degree, not {ppd:g}")
    taught = (teacher,) if isinstance(teacher, str) else tuple(teacher)  # a metric's options hold commas
    given = [images] if isinstance(images, str | Path) else list(images)
    return Task(
        teachers=taught if taught and taught[0] in MOS else tuple(map(str, split_requests(taught))),
        student=student,
        images=tuple(Path(i).expanduser() for i in given),
        distortions=_listed(distortions),
        n=n,
        crop=crop,
        seed=seed,
        displays=_listed(displays),
        hold_out=_listed(hold_out),
        ppd=ppd,
        batch=batch,
        name=name,
        settings=dict(settings or {}),
        half=half,
        keep_pixels=keep_pixels,
    )


def _listed(names: Names) -> tuple[str, ...]:
    """Names of a sequence, or of a text with commas."""
    parts = names.split(",") if isinstance(names, str) else names
    return tuple(part.strip() for part in parts if part.strip())
