"""Alignment of a stack: neighbouring exposures are registered, and their motions are chained to the reference."""

from __future__ import annotations

from collections.abc import Generator
from typing import Literal

import numpy as np
import torch

from hdrq.errors import PixelError, UsageError
from hdrq.image.warp import (
    STILL,
    common_area,
)
from hdrq.merging.alignment.ecc import DOWN, UP, match_histogram
from hdrq.merging.alignment.mtb import (
    Pyramid,
    Shift,
    grey,
    halve,
    mtb_shift,
)
from hdrq.merging.alignment.optical_flow import tv_flow
from hdrq.merging.alignment.placement import Alignment, Placement, aligned_frame
from hdrq.merging.alignment.registration import Method, Step, chained, register
from hdrq.merging.exposure_stack import ExposureStack, Survey, ceiling_of, check_order, survey_frame

# shorter side in pixels from which on frames are aligned
SMALLEST = 16
# shift in pixels above which unaligned frames are reported
MOVED = 2.0


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
    registering = align_steps(stack, method, reference, crop, trust_times, device)
    while True:
        try:
            next(registering)
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
    survey = Survey()
    steps: list[Step] = []
    notes: list[str] = []
    moved: list[str] = []
    order = stack.order
    height, width = stack.frame(order[0]).size
    if method != "none" and min(height, width) < SMALLEST:
        method = "none"
        notes.append(f"frames of {width} x {height} pixels are too small to be aligned")
    before: Pyramid | None = None
    by_frame: dict[int, Survey] = {}
    ceilings = []
    for i in order:
        frame = stack.frame(i)
        eight = frame.eight()
        one = Survey()
        survey_frame(frame, eight, one)
        by_frame[i] = one
        ceilings.append(ceiling_of(frame))
        now = Pyramid.of(grey(eight) if method != "none" else _shrunk(grey(eight), int(stack.as_mosaic)))
        if before is not None and method != "none":
            steps.append(register(before, now, method, device))
        elif before is not None and min(now.images[0].shape) >= SMALLEST:
            scale = height / now.images[0].shape[0]
            _check_unmoved(stack, i, mtb_shift(before, now), scale, moved)
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
        chained(order, steps, reference, len(stack))
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
            moving, _ = aligned_frame(grey(stack.frame(i).eight()), place, device)
            tensors = [
                torch.from_numpy(np.ascontiguousarray(a, np.float32))[None].to(device)
                for a in (fixed, match_histogram(moving, fixed), _seen(fixed), _seen(moving))
            ]
            place.flow = tv_flow(*tensors).cpu()
            place.how = "flow"
            fixed, _ = aligned_frame(grey(stack.frame(i).eight()), place, device)


def _seen(image: np.ndarray) -> np.ndarray:
    return (image > DOWN) & (image < UP)
