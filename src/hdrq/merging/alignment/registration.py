"""Registration of two neighbouring exposures, and the chain of such motions to the reference frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from hdrq.image.warp import STILL, corner_motion, translation
from hdrq.merging.alignment.ecc import Model, Pair, ecc, pair, scaled
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
    if method == "auto" and (rho := _still(before, after, start, device)) is not None:
        return Step(start, "mtb", rho, shift.why)
    frames = pair(fixed, moving, device=device)
    h, rho = _simplest(frames, start)
    if rho < SURE or not _plausible(h, start, fixed.shape):
        # here, because it imports scipy.ndimage, which most brackets do not need
        from hdrq.merging.alignment.feature_matching import match_homography

        first, agreeing = match_homography(fixed, moving)
        if agreeing >= 12:
            g, sigma = ecc(frames, first)
            # the implausible motion may be the true one, and its correlation then that of the features' motion
            sound = (
                sigma > SURE and LESS * (1 - sigma) < 1 - rho and _plausible(g, STILL, fixed.shape, most=0.5)
            )
            if sound and _better(before, after, g, shift, device):
                return Step(g, "homography", sigma)
        return Step(start, "mtb", rho, shift.why or "subpixel registration did not converge")
    left = corner_motion(h @ np.linalg.inv(start), (fixed.shape[0], fixed.shape[1]))
    if (left <= FINE and method == "auto") or not _better(before, after, h, shift, device):
        return Step(start, "mtb", rho, shift.why)
    return Step(h, "homography", rho)


def _still(before: Pyramid, after: Pyramid, start: np.ndarray, device: torch.device | str) -> float | None:
    """The correlation of frames averaged over 4 x 4 pixels where these show that a translation by whole pixels is enough.

    They cost a sixteenth; what they find is off by less than a tenth of a pixel, so that half of FINE is certain.
    """
    level = 2
    if len(before.images) <= level or min(before.images[level].shape) < SMALLEST_QUICK:
        return None
    small = scaled(start, 2**level)
    h, rho = _simplest(pair(before.images[level], after.images[level], device=device), small)
    size = before.images[level].shape
    left = 2**level * corner_motion(h @ np.linalg.inv(small), (size[0], size[1]))
    return rho if rho > QUICK and left < FINE / 2 else None


def _simplest(frames: Pair, start: np.ndarray) -> tuple[np.ndarray, float]:
    """The simplest adequate motion model: each richer one must reduce 1 - correlation by a tenth."""
    h, rho = ecc(frames, start, "shift")
    models: tuple[Model, ...] = ("euclid", "homography")
    for model in models:
        g, sigma = ecc(frames, h, model)
        if 1 - sigma < LESS * (1 - rho):
            h, rho = g, sigma
    return h, rho


def _better(fixed: Pyramid, moving: Pyramid, h: np.ndarray, shift: Shift, device: torch.device | str) -> bool:
    """Whether the threshold bitmaps also agree clearly better after a motion than after the whole-pixel shift."""
    share, _ = common_cut(fixed, moving)
    image, seen = aligned_frame(moving.images[0], Placement(h), device)
    bright, sure = bitmap(image, moving.cut(0, share))
    return difference(fixed.bitmap(0, share), (bright, sure & seen), 0, 0) < CLEARLY * shift.error


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
