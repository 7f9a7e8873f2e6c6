"""Tone mapping and expansion of files: reading, processing and writing, as jobs that may be divided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor

from hdrq import io
from hdrq.encoding.photometry import LIGHT, Photometry, refuse_unknown_primaries, relabel
from hdrq.errors import HdrqError, UsageError
from hdrq.image.color import convert, working_in
from hdrq.image.devices import device_of
from hdrq.image.statistics import Adaptation, log_mean, luminance
from hdrq.io.frame_range import read_each, several
from hdrq.io.remote import folders_of, make_folder
from hdrq.records import MAIN_IMAGE, Image, Selection
from hdrq.tonemapping.file_names import Jobs
from hdrq.tonemapping.plan import Expansion, Plan
from hdrq.tonemapping.prediction import described, predicted, weights_for
from hdrq.tonemapping.solvers.wls import Unsettled
from hdrq.tonemapping.tonemap import code_for, expand, saturated, scene_of
from hdrq.tonemapping.ultra_hdr import check_stops, write_ultra_hdr
from hdrq.work import Needs, Spread, here

# change of the geometric mean that is taken as a scene cut
_CUT_STOPS = 2.5


@dataclass(frozen=True)
class Written:
    """One file, written or failed."""

    source: Path
    target: Path
    notes: tuple[str, ...] = ()
    error: str = ""


def read(path: Path, photometry: Photometry, select: Selection = MAIN_IMAGE) -> Image:
    """The image of a file, in the domain and primaries that the user states."""
    return relabel(io.read_one(path, select), photometry)


def tonemap_files(
    todo: Jobs,
    plan: Plan,
    photometry: Photometry,
    device: torch.device | str = "cpu",
    frames: float | None = None,
    select: Selection = MAIN_IMAGE,
    gain_map: float | None = None,
    spread: Spread = here,
) -> Iterator[Written]:
    """Tone map and write every file.

    frames  the files are frames of one video: statistics are smoothed with this time constant, > 0, and restart
            after a scene cut
    gain_map  headroom in stops: JPEGs are written with a gain map to the scene's light (Ultra HDR)
    spread  divides the files among other processes; frames of a video depend on each other and are not divided
    raises  UsageError if an operator's statistics cannot be smoothed over time
    """
    if gain_map is not None:
        check_stops(gain_map)
    if plan.auto:
        weights_for(plan.operator.name, "" if plan.auto == "default" else plan.auto)
        if frames is not None:
            raise UsageError(
                "predicted parameters change between frames; use the operator's own settings for a video"
            )
    job = TonemapJob(plan, photometry, str(device), select, gain_map)
    if frames is None:
        return spread(job, todo, total=len(todo))
    return _video_frames(todo, job, _adaptation(plan, frames, len(todo), select))


@dataclass(frozen=True)
class TonemapJob:
    """Tone mapping of independent files, as `hdrq.work.Job` of (input, output)."""

    plan: Plan
    photometry: Photometry
    device: str = "cpu"
    select: Selection = MAIN_IMAGE
    gain_map: float | None = None

    def begin(self) -> Callable[[Sequence[tuple[Path, Path]]], Iterator[Written]]:
        """Nothing needs loading."""
        return lambda items: (self.written(source, target, code_for) for source, target in items)

    def lost(self, item: tuple[Path, Path], reason: str) -> Written:
        """The record of a file that was not written."""
        return Written(*item, error=f"{item[0]}: {reason}")

    def needs(self, item: tuple[Path, Path]) -> Needs:
        """The input, and the nearest existing folder of the output."""
        return Needs((str(item[0]),), folders_of(item[1]))

    def written(self, source: Path, target: Path, render: Callable[[Tensor, Plan], Image]) -> Written:
        """Read, tone map by `render`, and write one file."""
        try:
            notes: list[str] = []
            for image, place in read_each(source, target, self.select):
                notes += self._one(relabel(image, self.photometry), place, render)
            return Written(source, target, tuple(dict.fromkeys(notes)))
        except (HdrqError, OSError) as error:
            return Written(source, target, error=_line(error, target))

    def _one(self, image: Image, target: Path, render: Callable[[Tensor, Plan], Image]) -> tuple[str, ...]:
        """Tone map and write one image; notes on what was assumed and lost."""
        image = image.with_pixels(image.pixels.to(device_of(self.device)))
        plan = self.plan.for_image(image, self.photometry)
        scene, said = scene_of(image, self.photometry, plan)
        if plan.auto:
            plan = predicted(scene, plan)
            said = (*said, described(plan))
        with catch_warnings(record=True) as heard:
            simplefilter("always", Unsettled)
            code = render(scene, plan)
        unsettled = tuple(str(w.message) for w in heard if w.category is Unsettled)
        light = None if self.gain_map is None else (scene, self.gain_map)
        lost = _write(target, code, plan, light)
        return (*said, *code.notes, *unsettled, *lost)


def _video_frames(todo: Jobs, job: TonemapJob, adaptation: Adaptation) -> Iterator[Written]:
    """The frames of a video in order, with smoothed statistics."""
    mean: float | None = None

    def render(scene: Tensor, plan: Plan) -> Image:
        nonlocal mean
        with working_in(plan.working):
            now = float(log_mean(luminance(scene)).log2().mean())
        with adaptation.frame(afresh=mean is not None and abs(now - mean) > _CUT_STOPS):
            code = code_for(scene, plan)
        mean = now
        return code

    for source, target in todo:
        yield job.written(source, target, render)


def _adaptation(plan: Plan, frames: float, count: int, select: Selection) -> Adaptation:
    if not frames > 0:
        raise UsageError(f"--temporal is a time constant in frames above 0, not {frames:g}")
    if count < 2 and not several(select):
        raise UsageError(
            "--temporal needs the frames of a video: several files, a folder, or a clip with --frames A:B"
        )
    if not plan.operator.card.temporal:
        raise UsageError(
            f"{plan.operator.name} has no statistics to smooth over time; use for example reinhard"
        )
    return Adaptation(1 - exp(-1 / frames))


def expand_files(
    todo: Jobs,
    expansion: Expansion,
    photometry: Photometry,
    mask: str | None = None,
    select: Selection = MAIN_IMAGE,
    spread: Spread = here,
    primaries: str | None = None,
) -> Iterator[Written]:
    """Expand every file of code to light and write it.

    mask    a suffix such as "-clipped": also write a mask of clipped pixels for each result
    spread  divides the files among other processes
    primaries  of the light, by name; None: those of each file
    """
    refuse_unknown_primaries(primaries)
    job = ExpandJob(expansion, photometry, mask, select, primaries)
    return spread(job, todo, total=len(todo))


@dataclass(frozen=True)
class ExpandJob:
    """Expansion of files, as `hdrq.work.Job` of (input, output)."""

    expansion: Expansion
    photometry: Photometry
    mask: str | None = None
    select: Selection = MAIN_IMAGE
    primaries: str | None = None

    def begin(self) -> Callable[[Sequence[tuple[Path, Path]]], Iterator[Written]]:
        """Nothing needs loading."""
        return lambda items: (self.written(source, target) for source, target in items)

    def lost(self, item: tuple[Path, Path], reason: str) -> Written:
        """The record of a file that was not written."""
        return Written(*item, error=f"{item[0]}: {reason}")

    def needs(self, item: tuple[Path, Path]) -> Needs:
        """The input, and the nearest existing folder of the output."""
        return Needs((str(item[0]),), folders_of(item[1]))

    def written(self, source: Path, target: Path) -> Written:
        """Read, expand and write one file."""
        try:
            notes: list[str] = []
            for image, place in read_each(source, target, self.select):
                image = relabel(image, self.photometry)
                out = expand(image, self.expansion, self.primaries)
                make_folder(place.parent)
                notes += [*image.notes, *out.notes, *io.write(place, out)]
                if self.mask:
                    io.write(mask_of(place, self.mask), saturated(image), depth="uint8")
            return Written(source, target, tuple(dict.fromkeys(notes)))
        except (HdrqError, OSError) as error:
            return Written(source, target, error=_line(error, target))


def mask_of(target: Path, mask: str) -> Path:
    """The file of the mask of a result: NAME-clipped.png."""
    return target.with_name(target.stem + mask + ".png")


def _write(
    target: Path, code: Image, plan: Plan, light: tuple[Tensor, float] | None = None
) -> tuple[str, ...]:
    make_folder(target.parent)
    known = io.by_suffix(target)
    options: dict[str, Any] = {}
    if known is not None and known.name in ("png", "tiff"):
        options["depth"] = f"uint{plan.bits}"
    if known is not None and known.name == "png" and code.domain == "pq":
        options["display"] = plan.screen.peak_nits, plan.screen.black_nits
    if known is not None and known.name in ("png", "tiff", "exr", "jpeg"):
        options["provenance"] = {
            "operator": plan.operator.name,
            **{k: v for k, v in plan.settings.items() if v is not None},
            **({} if plan.levels is None else {"levels": "{:g},{:g}".format(*plan.levels)}),
        }
    if code.domain not in LIGHT and known is not None and known.name in ("exr", "pfm", "radiance"):
        raise UsageError(
            f"{target.name} is for light; write code as .png or .tif, or choose --display absolute"
        )
    if known is not None and known.name == "jpeg" and plan.bits > 8 and code.domain not in ("pq", "hlg"):
        raise UsageError(
            f"{target.name} holds 8 bits a value; write 16 as .png or .tif, or leave out --bits 16"
        )
    if light is not None:
        scene = convert(light[0], plan.working, plan.output)
        return write_ultra_hdr(target, scene, code, light[1], **options)
    return io.write(target, replace(code, pixels=code.pixels.detach().cpu()), **options)


def _line(error: Exception, target: Path) -> str:
    return f"{target} cannot be written: {error.strerror}" if isinstance(error, OSError) else str(error)
