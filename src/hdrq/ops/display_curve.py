"""The tone curve under which contrasts on a display are seen most as they are in the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from hdrq.ops.contrast_response import response, sensitivity
from hdrq.ops.fusion import grow, shrink

STEP = 0.1  # log10 units, of luminance and of contrast
REACH = 7  # contrasts counted, steps up and down
_SLOWEST = 3.0  # cycles per degree, of the last band
_PASSES = 200
_DARK, _BRIGHT = -8, 8


@dataclass(frozen=True)
class Contrasts:
    """How often a step of `rise` bins upwards from luminance bin `at` occurs in a band of `cycles` per degree."""

    at: np.ndarray
    rise: np.ndarray
    cycles: np.ndarray
    count: np.ndarray
    first: int
    bins: int


def count_contrasts(log_luminance: Tensor, ppd: float) -> Contrasts:
    """The joint histogram of background and contrast of one frame (1, 1, H, W), band by band."""
    x, cycles = log_luminance, ppd / 2
    first = int(torch.floor(x.min() / STEP).clamp(min=_DARK / STEP))
    last = int(torch.floor(x.max() / STEP).clamp(max=_BRIGHT / STEP)) + 1
    bins = last - first + 1
    rows = []
    while min(x.shape[-2:]) > 1:
        low = grow(shrink(x), (x.shape[-2], x.shape[-1]))
        at = (low / STEP).round().long().clamp(first, last) - first
        rise = ((x - low) / STEP).round().long()
        useful = (rise != 0) & (rise.abs() <= REACH) & (at + rise >= 0) & (at + rise < bins)
        start = torch.where(rise > 0, at, at + rise)[useful]
        size = rise.abs()[useful]
        counts = torch.bincount(start * (REACH + 1) + size, minlength=bins * (REACH + 1)).cpu().numpy()
        for k in np.nonzero(counts)[0]:
            rows.append((k // (REACH + 1), k % (REACH + 1), cycles, counts[k] / x.numel()))
        if cycles <= _SLOWEST:
            break
        x, cycles = shrink(x), cycles / 2
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Contrasts(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2], table[:, 3], first, bins)


def fit_curve(
    found: Contrasts, black: float, white: float, enhance: float, adapted_nits: float | None = None
) -> np.ndarray:
    """log10 display luminance at every bin, (bins,), rising from `black` to at most `white`.

    adapted_nits  what the eye that sees the scene is adapted to; None is the luminance it looks at
    """
    room, bins = white - black, found.bins
    if bins < 2 or len(found.at) == 0:
        return np.linspace(black, white, max(bins, 2))[:bins]
    inside = np.arange(bins - 1)
    spans = ((inside >= found.at[:, None]) & (inside < (found.at + found.rise)[:, None])).astype(np.float64)
    seen_nits = 10 ** ((found.first + found.at) * STEP)
    scene_nits = seen_nits if adapted_nits is None else np.full_like(seen_nits, adapted_nits)
    wanted = _by_band(found, enhance * found.rise * STEP, scene_nits)
    steps = np.minimum(np.full(bins - 1, STEP), room / (bins - 1))
    for _ in range(_PASSES):
        curve = black + np.concatenate([[0.0], np.cumsum(steps)])
        shown = np.maximum(spans @ steps, 1e-6)
        slope = _by_band(found, shown, 10 ** curve[found.at]) / shown
        rows = spans * (slope * np.sqrt(found.count))[:, None]
        solved = _least_squares(rows, wanted * np.sqrt(found.count), room)
        change = np.abs(solved - steps).max()
        steps = 0.6 * solved + 0.4 * steps
        if change < 1e-4:
            break
    return black + np.concatenate([[0.0], np.cumsum(steps)])


def _by_band(found: Contrasts, contrast: np.ndarray, nits: np.ndarray) -> np.ndarray:
    result = np.empty_like(contrast)
    for f in np.unique(found.cycles):
        own = found.cycles == f
        result[own] = response(contrast[own], sensitivity(f, nits[own]))
    return result


def _least_squares(rows: np.ndarray, right: np.ndarray, room: float) -> np.ndarray:
    """Steps >= 0 whose sum is at most `room`."""
    n = rows.shape[1]
    normal = rows.T @ rows
    normal += 1e-7 * max(np.trace(normal) / n, 1e-12) * np.eye(n)
    upper = np.linalg.cholesky(normal).T
    target = np.linalg.solve(upper.T, rows.T @ right)
    steps = nnls(upper, target, maxiter=30 * n)[0]
    if steps.sum() > room:
        heavy = 1e3 * np.sqrt(np.trace(normal) / n)
        bound = np.vstack([upper, np.full((1, n), heavy)])
        steps = nnls(bound, np.append(target, heavy * room), maxiter=30 * n)[0]
    return steps
