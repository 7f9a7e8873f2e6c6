"""Strips of a frame, resampled to the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq.image.warp import corners, grid_of, inside, positions, read
from hdrq.merging.alignment.placement import STRIP, Alignment, Placement
from hdrq.merging.exposure_stack import ExposureStack, Frame

# pixels per strip, which limits the memory there
STRIP_ACCELERATOR = 1_500_000
# per strip
LEAST_ROWS = 16


@dataclass(frozen=True)
class Strip:
    """Rows top..bottom of the common area in one frame.

    codes   (C, h, W) int32, of `levels`;  light (C, h, W) exposures of float files, else None
    inside  (1, h, W) 1 where the frame covers the pixel, 0 elsewhere; (1, 1, 1) where it covers all
    near_clipped   (2, h, W) 1 where resampling used pixels clipped at black, at white, else 0; None where it used none
    """

    top: int
    bottom: int
    codes: Tensor
    levels: int
    light: Tensor | None
    inside: Tensor
    near_clipped: Tensor | None = None


def strips(
    stack: ExposureStack,
    alignment: Alignment,
    k: int,
    device: torch.device | str = "cpu",
    rows: tuple[int, int] | None = None,
) -> Iterator[Strip]:
    """The strips of frame k, or only the strip `rows` (of the common area)."""
    top, bottom, left, right = alignment.area
    frame, place = stack.frame(k), alignment.placements[k]
    height = bottom - top
    pixels = STRIP if torch.device(device).type == "cpu" else STRIP_ACCELERATOR
    step = max(LEAST_ROWS, pixels // (right - left))
    strips = [rows] if rows else [(a, min(a + step, height)) for a in range(0, height, step)]
    for a, b in strips:
        box = (top + a, top + b, left, right)
        yield (
            _shifted(frame, place, box, a, b, device)
            if place.is_integer_shift
            else _warped(frame, place, box, a, b, device)
        )


def _tensor(a: np.ndarray, device: torch.device | str, kind: torch.dtype | None = None) -> Tensor:
    """A copy, of codes as int32 where no other type is asked for."""
    kind = kind or (torch.int32 if a.dtype.kind == "u" else torch.float32)
    # torch converts bytes faster than numpy, and has few operations on uint16
    plain = a if a.dtype in (np.uint8, np.float32) else a.astype(np.int32)
    return torch.empty(a.shape, dtype=kind).copy_(torch.from_numpy(plain)).to(device)


def _shifted(
    frame: Frame, place: Placement, box: tuple[int, ...], a: int, b: int, device: torch.device | str
) -> Strip:
    """Pixels shifted by whole pixels; positions outside the frame repeat its border and have no weight."""
    dy, dx = (int(v) for v in place.shift)
    h, w = frame.size
    y, x = np.arange(box[0], box[1]) + dy, np.arange(box[2], box[3]) + dx
    at: Any
    if y[0] >= 0 and y[-1] < h and x[0] >= 0 and x[-1] < w:
        at = np.s_[:, y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        seen = torch.ones(1, 1, 1, device=device)
    else:
        at = np.ix_(np.arange(len(frame.codes)), np.clip(y, 0, h - 1), np.clip(x, 0, w - 1))
        ok = ((y >= 0) & (y < h))[:, None] & ((x >= 0) & (x < w))[None]
        seen = torch.from_numpy(ok[None].astype(np.float32)).to(device)
    light = None if frame.light is None else _tensor(frame.light[at], device)
    return Strip(a, b, _tensor(frame.codes[at], device), frame.levels, light, seen)


def _warped(
    frame: Frame, place: Placement, box: tuple[int, ...], a: int, b: int, device: torch.device | str
) -> Strip:
    """Bicubic interpolation, clipped to 0 and white, in sixteen bits to avoid a second rounding."""
    x, y = positions(place.transform, box[0], box[1], box[2], box[3], place.flow, device)
    h, w = frame.size
    ends = corners(place.transform, *box) if place.flow is None else None
    if ends is None:
        ends = float(x.min()), float(x.max()), float(y.min()), float(y.max())
    y0, y1 = max(0, int(ends[2]) - 4), min(h, int(ends[3]) + 5)
    y0, y1 = min(y0, h - 1), max(y1, min(y0, h - 1) + 1)
    own = frame.codes[:, y0:y1]
    most = frame.levels - 1
    grid = grid_of(x, y - y0, (y1 - y0, w))
    codes = read(_tensor(own, device, torch.float32).mul_(65535 / most), grid).round_().clamp_(0, 65535).int()
    low, high = own.min(0), own.max(0)
    near_clipped = None
    found = bool(low.min() <= 0), bool(high.max() >= most)
    if any(found):
        near_clipped = torch.zeros(2, *x.shape, device=device)
        for plane, some, clipped in zip(near_clipped, found, (low <= 0, high >= most)):
            if some:
                ends_there = _tensor(clipped.view(np.uint8), device, torch.float32)
                plane.copy_(read(ends_there[None], grid, "bilinear")[0].gt_(0.01))
    light = None
    if frame.light is not None:
        light = read(_tensor(frame.light[:, y0:y1], device), grid).clamp(min=0)
    seen = torch.ones(1, 1, 1, device=device)
    if min(ends[0], ends[2]) < 0 or ends[1] > w - 1 or ends[3] > h - 1:
        parts = inside(x, y, (h, w))[None]
        seen = seen if bool(parts.all()) else parts.float()
    return Strip(a, b, codes, 65536, light, seen, near_clipped)
