"""Exposures that alternate over the frames of a video: each frame is merged with its neighbours of other exposure.

Source of the capture and of the merge with both neighbours: Kang, Uyttendaele, Winder & Szeliski, SIGGRAPH 2003,
doi:10.1145/882262.882270; of cycles of three exposures: Kalantari et al., SIGGRAPH Asia 2013, doi:10.1145/2508363.2508402.
Departure: frames are aligned and compared by the means of the merge of a bracket, with the frame as its reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from hdrq.errors import UsageError
from hdrq.io.exposures import Exposure
from hdrq.merging.alignment.align import align
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.merged import Merged
from hdrq.merging.network import AVERAGE
from hdrq.merging.response.calibration import Calibration, calibrate
from hdrq.merging.response.samples import take_samples
from hdrq.merging.sequence.capture import REACH, Neighbours
from hdrq.merging.sequence.shots import FrameSequence, Reader, Shot, levels_of, shots_of
from hdrq.merging.settings import Settings
from hdrq.merging.stages import Stage

# stops of more exposure, and mean codes less, that contradict each other
BRIGHTER, DARKER = 0.3, 4.0
Merging = Callable[[ExposureStack, Settings, Calibration], Iterator[Stage | Merged]]


@dataclass(frozen=True)
class Window:
    """A frame, and its neighbours of other exposures."""

    shot: Shot
    others: tuple[Shot, ...]


def alternating(
    sequence: FrameSequence,
    settings: Settings,
    merging: Merging,
    skip: Callable[[str], bool] = lambda name: False,
) -> Iterator[Merged]:
    """One merge for each frame, in order; response and noise are estimated once, from the first frames.

    merging  merges a stack with known response;  skip: frames that are not merged, by name

    At most seven frames are in memory.
    """
    refuse_idle(settings)
    camera: Calibration | None = None
    shots = shots_of(sequence, settings) if not settings.estimate_exposures else iter(())
    if settings.estimate_exposures:
        camera, shots = _estimated(sequence, settings)
    head = list(islice(shots, REACH))
    firsts = list({s.level: s for s in reversed(head)}.values())
    if len(firsts) < 2:
        raise UsageError(
            "one frame has no neighbour of another exposure; give at least two frames that alternate"
        )
    for window in windows(_emptied(head, shots), settings.capture.neighbours):
        if skip(window.shot.name):
            continue
        if camera is None:
            camera = _camera(firsts, settings)
        firsts.clear()
        yield _merged(window, settings, camera, merging)
        camera.notes.clear()


def _emptied(head: list[Shot], rest: Iterator[Shot]) -> Iterator[Shot]:
    """The frames of a list, which then no longer holds them, and the others."""
    while head:
        yield head.pop(0)
    yield from rest


def refuse_idle(settings: Settings) -> None:
    """Raise UsageError for what the merge of a sequence does not use."""
    reasons = {
        "--fuse": (settings.fuse, "computes no radiance"),
        f"--method {settings.method}": (settings.method != AVERAGE, "merges to the frame of middle exposure"),
        "--reference": (settings.reference is not None, "is each frame in turn"),
        "--deghost bitmap": (
            settings.deghost == "bitmap",
            "shows moving objects at the time of another frame",
        ),
        "--demosaic after": (settings.demosaic == "after", "cannot align frames"),
        "--scale median": (settings.scale == "median", "changes from frame to frame; use relative"),
    }
    for option, (given, why) in reasons.items():
        if given:
            raise UsageError(f"--pattern alternating does not take {option}, which {why}; leave it out")
    stated = any(x is not None for x in (settings.times, settings.ev, settings.table))
    if settings.estimate_exposures and stated:
        raise UsageError(
            "--pattern alternating estimates exposures or takes those stated; leave out one of them"
        )
    if settings.estimate_exposures and settings.capture.cycle is None:
        raise UsageError("--estimate-exposures with --pattern alternating needs --cycle, 2 or 3")


def windows(shots: Iterable[Shot], neighbours: Neighbours) -> Iterator[Window]:
    """Every frame with its neighbours of other exposures, as soon as these are there."""
    held: list[Shot] = []
    at, after = 0, 0 if neighbours == "previous" else REACH
    for shot in shots:
        held.append(shot)
        while len(held) - at > after:
            yield Window(held[at], _others(held, at, neighbours))
            at += 1
            del held[: max(0, at - REACH)]
            at = min(at, REACH)
    for i in range(at, len(held)):
        yield Window(held[i], _others(held, i, neighbours))


def _others(held: Sequence[Shot], at: int, neighbours: Neighbours) -> tuple[Shot, ...]:
    """The neighbours of a frame, in order of time."""
    own = held[at]
    found: list[Shot] = []
    for level in sorted({s.level for s in held} - {own.level}):
        before = [s for s in held[max(0, at - REACH) : at] if s.level == level][-1:]
        after = [s for s in held[at + 1 : at + 1 + REACH] if s.level == level][:1]
        both = before if neighbours == "previous" else before + after
        if neighbours == "nearest":
            both = sorted(both, key=lambda s: abs(s.number - own.number))[:1]
        found += both
    return tuple(sorted(found, key=lambda s: s.number))


def _stack(shots: Sequence[Shot], settings: Settings) -> ExposureStack:
    return ExposureStack(
        [s.frame for s in shots],
        [s.exposure for s in shots],
        names=[s.name for s in shots],
        alone=True,
        budget=0,
    )


def _camera(firsts: Sequence[Shot], settings: Settings) -> Calibration:
    """Response and noise, from a frame of each exposure."""
    shots = sorted(firsts, key=lambda s: s.number)
    for a in shots:
        for b in shots:
            if _contradict(a, b):
                raise UsageError(
                    f"{b.name} is stated to have more exposure than {a.name} but is darker; the exposures contradict the "
                    "frames: state those of the cycle in the order of its frames, from the first"
                )
    stack = _stack(shots, settings)
    alignment = align(stack, settings.align, None, "common", False, settings.device)
    samples = take_samples(stack, alignment, seed=settings.seed)
    return calibrate(stack, samples, settings.response, False, settings.seed)


def _contradict(a: Shot, b: Shot) -> bool:
    """Whether b has clearly more exposure than a but is darker."""
    stops = np.log2(float(b.exposure.relative or 0) / float(a.exposure.relative or 1))
    return bool(stops > BRIGHTER and b.mean < a.mean - DARKER)


def _estimated(sequence: FrameSequence, settings: Settings) -> tuple[Calibration, Iterator[Shot]]:
    """The camera, and frames whose exposures are estimated from those of the first cycle."""
    cycle = int(settings.capture.cycle or 0)
    reader = Reader(settings)
    first = list(islice(sequence.entries(), cycle))
    if len(first) < cycle:
        raise UsageError(f"there are {len(first)} frames, fewer than --cycle {cycle}")
    unknown = [Exposure(ev=float(i), source="unknown") for i in range(cycle)]
    stack = ExposureStack(
        [reader(e.source) for e in first], unknown, names=[e.name for e in first], equal=True
    )
    stack.rank_by_brightness()
    alignment = align(stack, settings.align, None, "common", False, settings.device)
    camera = calibrate(
        stack, take_samples(stack, alignment, seed=settings.seed), settings.response, True, settings.seed
    )
    stops = np.log2(camera.seconds / camera.seconds.max())
    found = [Exposure(ev=round(float(s), 4), source="estimated") for s in stops]
    levels, start = levels_of(found), first[0].number

    def shots() -> Iterator[Shot]:
        for entry in sequence.entries():
            phase = (entry.number - start) % cycle
            yield Shot(
                entry.number, entry.name, reader.compact(entry.source), found[phase], levels[phase], reader
            )

    return camera, shots()


def _merged(window: Window, settings: Settings, camera: Calibration, merging: Merging) -> Merged:
    """One frame merged with those neighbours that do not contradict it."""
    own = window.shot
    used = [s for s in window.others if not (_contradict(own, s) or _contradict(s, own))]
    notes = [
        f"{s.name} contradicts the exposures beside {own.name}, as at a cut, and is left out"
        for s in window.others
        if s not in used
    ]
    if not used:
        notes.append(f"{own.name} has no neighbour of another exposure and is merged alone")
    shots = sorted([own, *used], key=lambda s: s.number)
    every = replace(
        settings,
        reference=shots.index(own),
        crop="reference",
        estimate_exposures=False,
        deghost=settings.deghost if used else "none",
    )
    for step in merging(_stack(shots, settings), every, camera):
        if isinstance(step, Merged):
            lines = tuple(camera.notes) + step.report.notes + tuple(notes)
            return replace(step, report=replace(step.report, notes=lines))
    raise UsageError(f"the merge of {own.name} ended without an image")
