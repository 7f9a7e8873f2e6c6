"""Alignment of a stack: neighbouring exposures are registered, and their motions are chained to the reference."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.image.warp import (
    STILL,
    common_area,
    corner_motion,
    inside,
    is_whole_shift,
    positions,
    sample,
    translation,
)
from hdrq.merging.alignment.ecc import DOWN, UP, Model, Pair, ecc, match_histogram, pair
from hdrq.merging.alignment.feature_matching import match_homography
from hdrq.merging.alignment.mtb import (
    Shift,
    bitmap,
    common_cut,
    difference,
    grey,
    halve,
    mtb_shift,
)
from hdrq.merging.alignment.optical_flow import tv_flow
from hdrq.merging.exposure_stack import ExposureStack, Survey, ceiling_of, check_order, survey_frame

Method = Literal["auto", "mtb", "homography", "flow", "none"]
FINE = 0.5  # pixels (RMS) by which a translation by whole pixels may be off before a frame is resampled
SURE = 0.6  # correlation below which a registration is rejected
LESS = 0.9  # factor by which a motion model must reduce 1 - correlation to be preferred to a simpler one
SMALLEST = 16  # shorter side in pixels from which on frames are aligned
MOVED = 2.0  # shift in pixels above which unaligned frames are reported
CLEARLY = 0.75  # factor by which resampling must reduce the bitmaps' difference at the whole-pixel shift


@dataclass(frozen=True)
class Step:
    """Motion from one frame to the next longer one: homography, method, and the reason where none was found."""

    transform: np.ndarray
    how: str
    correlation: float = 0.0
    why: str = ""


@dataclass
class Placement:
    """Where a frame's pixels are read: reference pixel p corresponds to transform(p) + flow(p) of the frame."""

    transform: np.ndarray
    how: str = "reference"
    why: str = ""
    flow: Tensor | None = None
    overlap: float = 1.0

    @property
    def whole(self) -> bool:
        return self.flow is None and is_whole_shift(self.transform)

    @property
    def shift(self) -> tuple[float, float]:
        """(dy, dx) at the frame's corner."""
        return float(self.transform[1, 2]), float(self.transform[0, 2])


@dataclass
class Alignment:
    placements: list[Placement]
    reference: int
    area: tuple[int, int, int, int]
    survey: Survey = field(default_factory=Survey)
    notes: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)


def align(
    stack: ExposureStack,
    method: Method = "auto",
    reference: int | None = None,
    crop: Literal["common", "reference"] = "common",
    trust_times: bool = True,
    device: torch.device | str = "cpu",
) -> Alignment:
    """Survey and register all frames; each is read once (twice with flow).

    reference    index of the frame to align to; None takes the one with the most well-exposed pixels
    crop         "common": the area that all frames cover; "reference": the whole reference
    trust_times  False: exposures will be estimated, so that a contradiction with the pixels is not an error
    """
    told = align_steps(stack, method, reference, crop, trust_times, device)
    while True:
        try:
            next(told)
        except StopIteration as end:
            result: Alignment = end.value
            return result


def align_steps(
    stack: ExposureStack,
    method: Method = "auto",
    reference: int | None = None,
    crop: Literal["common", "reference"] = "common",
    trust_times: bool = True,
    device: torch.device | str = "cpu",
) -> Generator[int, None, Alignment]:
    """`align`, which tells how many frames are read and registered after each."""
    survey, steps = Survey(), []
    notes: list[str] = []
    moved: list[str] = []
    order = stack.order
    height, width = stack.frame(order[0]).size
    if method != "none" and min(height, width) < SMALLEST:
        method = "none"
        notes.append(f"frames of {width} x {height} pixels are too small to be aligned")
    before: np.ndarray | None = None
    by_frame: dict[int, Survey] = {}
    ceilings = []
    for i in order:
        frame = stack.frame(i)
        eight = frame.eight()
        one = Survey()
        survey_frame(frame, eight, one)
        by_frame[i] = one
        ceilings.append(ceiling_of(frame))
        now = grey(eight) if method != "none" else _shrunk(grey(eight), int(stack.as_mosaic))
        if before is not None and method != "none":
            steps.append(_step(before, now, method, device))
        elif before is not None and min(now.shape) >= SMALLEST:
            _check_unmoved(stack, i, mtb_shift(before, now), height / now.shape[0], moved)
        before = now
        yield len(ceilings)
    for i in range(len(stack)):
        for name in ("white", "black", "low", "high", "good", "mean"):
            getattr(survey, name).extend(getattr(by_frame[i], name))
    found = [c for c in ceilings if c is not None]
    survey.ceiling = max(found) if found else 1.0
    if trust_times:
        check_order(stack, survey)
    if reference is None:
        reference = int(np.argmax(survey.good))
    elif not 0 <= reference < len(stack):
        raise UsageError(f"--reference must be 1 to {len(stack)}, not {reference + 1}")
    placements = (
        _chained(order, steps, reference, len(stack))
        if method != "none"
        else [Placement(STILL, "none") for _ in order]
    )
    placements[reference].how = "reference"
    if method == "flow":
        _add_flow(stack, placements, reference, device)
    area = (0, height, 0, width)
    if crop == "common" and method != "none":
        area = common_area([p.transform for p in placements], stack.size)
        if area[1] - area[0] < 16 or area[3] - area[2] < 16:
            raise PixelError("the aligned frames have no common area; try --align none or --crop reference")
    for p in placements:
        p.overlap = _overlap(p.transform, stack.size)
    return Alignment(placements, reference, area, survey, notes, moved)


def _shrunk(image: np.ndarray, halvings: int) -> np.ndarray:
    """Halved a given number of times, and until it has at most 400,000 pixels."""
    while halvings > 0 or image.size > 400_000:
        image, halvings = halve(image), halvings - 1
    return image


def _check_unmoved(stack: ExposureStack, i: int, shift: Shift, scale: float, moved: list[str]) -> None:
    """Add a note for a frame that was not aligned but should have been."""
    if (shift.dy, shift.dx) == (0, 0) or max(abs(shift.dy), abs(shift.dx)) * scale < MOVED:
        return
    moved.append(
        f"{stack.names[i]} is shifted by about {shift.dy * scale:+.0f} rows and {shift.dx * scale:+.0f} columns against the "
        "next shorter frame"
    )


def _overlap(transform: np.ndarray, size: tuple[int, int]) -> float:
    """Share of the reference that a frame covers."""
    t, b, l, r = common_area([transform], size)
    return max(0, b - t) * max(0, r - l) / (size[0] * size[1])


def _step(fixed: np.ndarray, moving: np.ndarray, method: Method, device: torch.device | str) -> Step:
    """Register neighbours: bitmaps, then correlation where whole pixels are not enough, then feature matching."""
    shift = mtb_shift(fixed, moving)
    start = translation(shift.dy, shift.dx)
    if method == "mtb" or shift.why.startswith("too dark"):
        return Step(start, "mtb", why=shift.why)
    frames = pair(fixed, moving, device=device)
    h, rho = _simplest(frames, start)
    if rho < SURE or not _plausible(h, start, fixed.shape):
        first, agreeing = match_homography(fixed, moving)
        if agreeing >= 12:
            g, sigma = ecc(frames, first)
            sound = sigma > max(rho, SURE) and _plausible(g, STILL, fixed.shape, most=0.5)
            if sound and _better(fixed, moving, g, shift, device):
                return Step(g, "homography", sigma)
        return Step(start, "mtb", rho, shift.why or "subpixel registration did not converge")
    left = corner_motion(h @ np.linalg.inv(start), (fixed.shape[0], fixed.shape[1]))
    if (left <= FINE and method == "auto") or not _better(fixed, moving, h, shift, device):
        return Step(start, "mtb", rho, shift.why)
    return Step(h, "homography", rho)


def _simplest(frames: Pair, start: np.ndarray) -> tuple[np.ndarray, float]:
    """The simplest adequate motion model: each richer one must reduce 1 - correlation by a tenth."""
    h, rho = ecc(frames, start, "shift")
    models: tuple[Model, ...] = ("euclid", "homography")
    for model in models:
        g, sigma = ecc(frames, h, model)
        if 1 - sigma < LESS * (1 - rho):
            h, rho = g, sigma
    return h, rho


def _better(
    fixed: np.ndarray, moving: np.ndarray, h: np.ndarray, shift: Shift, device: torch.device | str
) -> bool:
    """Whether the threshold bitmaps also agree clearly better after a motion than after the whole-pixel shift."""
    share, _ = common_cut(fixed, moving)
    bright, sure = bitmap(_read(moving, Placement(h), device), share, moving)
    x, y = positions(h, 0, fixed.shape[0], 0, fixed.shape[1], None, device)
    seen = inside(x, y, (fixed.shape[0], fixed.shape[1])).cpu().numpy()
    return difference(bitmap(fixed, share), (bright, sure & seen), 0, 0) < CLEARLY * shift.error


def _plausible(h: np.ndarray, start: np.ndarray, size: tuple[int, ...], most: float = 0.1) -> bool:
    """Whether a homography keeps its orientation and differs from its start by less than a share of the frame."""
    stray = corner_motion(h @ np.linalg.inv(start), (size[0], size[1]))
    return bool(np.isfinite(h).all() and np.linalg.det(h[:2, :2]) > 0.25 and stray < most * max(size))


def _chained(order: list[int], steps: list[Step], reference: int, count: int) -> list[Placement]:
    """Placements of all frames from the motions between neighbours."""
    placements = [Placement(STILL)] * count
    at = order.index(reference)
    placements[reference] = Placement(STILL)
    for k in range(at, len(order) - 1):
        placements[order[k + 1]] = Placement(
            _unit(steps[k].transform @ placements[order[k]].transform), steps[k].how, steps[k].why
        )
    for k in range(at - 1, -1, -1):
        placements[order[k]] = Placement(
            _unit(np.linalg.inv(steps[k].transform) @ placements[order[k + 1]].transform),
            steps[k].how,
            steps[k].why,
        )
    return placements


def _unit(h: np.ndarray) -> np.ndarray:
    """Scaled to h[2, 2] = 1; whole-pixel shifts without rounding errors."""
    h = h / h[2, 2]
    near = np.rint(h)
    return near if np.abs(h - near).max() < 1e-9 else h


def _add_flow(
    stack: ExposureStack, placements: list[Placement], reference: int, device: torch.device | str
) -> None:
    """Dense displacement of every frame, relative to its already aligned neighbour on the reference's side."""
    order = stack.order
    at = order.index(reference)
    for side in (range(at, len(order) - 1), range(at, 0, -1)):
        fixed = grey(stack.frame(reference).eight())
        step = 1 if side.step > 0 else -1
        for k in side:
            i = order[k + step]
            place = placements[i]
            moving = _read(grey(stack.frame(i).eight()), place, device)
            tensors = [
                torch.from_numpy(np.ascontiguousarray(a, np.float32))[None].to(device)
                for a in (fixed, match_histogram(moving, fixed), _seen(fixed), _seen(moving))
            ]
            place.flow = tv_flow(*tensors).cpu()
            place.how = "flow"
            fixed = _read(grey(stack.frame(i).eight()), place, device)


def _seen(image: np.ndarray) -> np.ndarray:
    return (image > DOWN) & (image < UP)


def _read(image: np.ndarray, place: Placement, device: torch.device | str) -> np.ndarray:
    """A grey frame aligned to the reference, (H, W) uint8."""
    h, w = image.shape
    x, y = positions(place.transform, 0, h, 0, w, place.flow, device)
    out = sample(torch.from_numpy(image)[None].float().to(device), x, y, "bilinear")[0]
    return out.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
