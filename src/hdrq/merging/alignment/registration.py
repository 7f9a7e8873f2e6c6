"""Registration of two neighbouring exposures, and the chain of such motions to the reference frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from hdrq.image.warp import STILL, corner_motion, translation
from hdrq.merging.alignment.ecc import Model, Pair, Totals, ecc, finest, pair, scaled
from hdrq.merging.alignment.mtb import Pyramid, Shift, bitmap, common_cut, difference, mtb_shift
from hdrq.merging.alignment.placement import Placement, aligned_frame

Method = Literal["auto", "mtb", "homography", "flow", "none"]
# pixels (RMS) by which a translation by whole pixels may be off before a frame is resampled
FINE = 0.5
# correlation below which a registration is rejected
SURE = 0.6
# factor by which a motion model must reduce 1 - correlation to be preferred to a simpler one
LESS = 0.9
# Correlation and shorter side at which frames of a quarter of the size are enough.
QUICK, SMALLEST_QUICK = (
    0.9,
    96,
)
# factor by which resampling must reduce the bitmaps' difference at the whole-pixel shift
CLEARLY = 0.75


# from the simplest
MODELS: tuple[Model, ...] = ("shift", "euclid", "homography")


@dataclass(frozen=True)
class Motion:
    """A homography between two frames, the simplest adequate model that it was found by, and the correlation."""

    transform: np.ndarray
    model: Model
    correlation: float


@dataclass(frozen=True)
class Step:
    """Motion from one frame to the next longer one: homography, method, and the reason where none was found."""

    transform: np.ndarray
    how: str
    correlation: float = 0.0
    why: str = ""


def register(before: Pyramid, after: Pyramid, method: Method, device: torch.device | str) -> Step:
    """Register neighbours: bitmaps, then correlation where whole pixels are not enough, then feature matching."""
    shift = mtb_shift(before, after)
    fixed, moving = before.images[0], after.images[0]
    start = translation(shift.dy, shift.dx)
    if method == "mtb" or shift.why.startswith("too dark"):
        return Step(start, "mtb", why=shift.why)
    size = (fixed.shape[0], fixed.shape[1])
    quick = _quick(before, after, start, device) if method == "auto" else None
    # what they find is off by less than a tenth of a pixel, so that half of FINE is certain
    if quick is not None and corner_motion(quick.transform @ np.linalg.inv(start), size) < FINE / 2:
        return Step(start, "mtb", quick.correlation, shift.why)
    totals = after.totals[0], before.totals[0]
    found = None if quick is None else _refined(quick, fixed, moving, totals, device)
    if found is None or found.correlation < SURE or not _plausible(found.transform, start, size):
        found = _simplest(pair(fixed, moving, totals=totals, device=device), start)
    h, rho = found.transform, found.correlation
    if rho < SURE or not _plausible(h, start, size):
        # here, because it imports scipy.ndimage, which most brackets do not need
        from hdrq.merging.alignment.feature_matching import match_homography

        first, agreeing = match_homography(fixed, moving)
        if agreeing >= 12:
            g, sigma = ecc(pair(fixed, moving, totals=totals, device=device), first)
            # the implausible motion may be the true one, and its correlation then that of the features' motion
            sound = sigma > SURE and LESS * (1 - sigma) < 1 - rho and _plausible(g, STILL, size, most=0.5)
            if sound and _better(before, after, g, shift, device):
                return Step(g, "homography", sigma)
        return Step(start, "mtb", rho, shift.why or "subpixel registration did not converge")
    left = corner_motion(h @ np.linalg.inv(start), size)
    if (left <= FINE and method == "auto") or not _better(before, after, h, shift, device):
        return Step(start, "mtb", rho, shift.why)
    return Step(h, "homography", rho)


def _quick(before: Pyramid, after: Pyramid, start: np.ndarray, device: torch.device | str) -> Motion | None:
    """The motion by frames averaged over 4 x 4 pixels, which cost a sixteenth; None where they do not correlate enough."""
    level = 2
    if len(before.images) <= level or min(before.images[level].shape) < SMALLEST_QUICK:
        return None
    totals = after.totals[level], before.totals[level]
    frames = pair(before.images[level], after.images[level], totals=totals, device=device)
    found = _simplest(frames, scaled(start, 2**level))
    if found.correlation <= QUICK:
        return None
    return replace(found, transform=scaled(found.transform, 1 / 2**level))


def _refined(
    quick: Motion, fixed: np.ndarray, moving: np.ndarray, totals: Totals, device: torch.device | str
) -> Motion | None:
    """The motion by the finest scale alone, from that of small frames on; None where these do not settle the model.

    A homography of small frames may be off by pixels where few are well exposed, so that it needs all scales.
    """
    if quick.model == MODELS[-1]:
        return None
    found = _simplest(pair(fixed, moving, most=1, totals=totals, device=device), quick.transform, quick.model)
    return found if found.model == quick.model else None


def _simplest(frames: Pair, start: np.ndarray, first: Model = "shift") -> Motion:
    """The simplest adequate motion model, from `first` on: each richer one must reduce 1 - correlation by a tenth."""
    models = MODELS[MODELS.index(first) :]
    h, rho = ecc(frames, start, first)
    best = Motion(h, first, rho)
    for model in models[1:]:
        h, rho = ecc(frames, best.transform, model)
        if 1 - rho < LESS * (1 - best.correlation):
            best = Motion(h, model, rho)
    return best


def _better(fixed: Pyramid, moving: Pyramid, h: np.ndarray, shift: Shift, device: torch.device | str) -> bool:
    """Whether the threshold bitmaps also agree clearly better after a motion than after the whole-pixel shift."""
    share, _ = common_cut(fixed, moving)
    # of large frames a part of the pixels tells it
    every = finest(fixed.images[0].size)
    image, seen = aligned_frame(moving.images[0], Placement(h), device, every)
    bright, sure = bitmap(image, moving.cut(0, share))
    still = bitmap(fixed.images[0][::every, ::every], fixed.cut(0, share))
    return difference(still, (bright, sure & seen), 0, 0) < CLEARLY * shift.error


def _plausible(h: np.ndarray, start: np.ndarray, size: tuple[int, ...], most: float = 0.1) -> bool:
    """Whether a homography keeps its orientation and differs from its start by less than a share of the frame."""
    stray = corner_motion(h @ np.linalg.inv(start), (size[0], size[1]))
    return bool(np.isfinite(h).all() and np.linalg.det(h[:2, :2]) > 0.25 and stray < most * max(size))


def chained(order: list[int], steps: list[Step], reference: int, count: int) -> list[Placement]:
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
