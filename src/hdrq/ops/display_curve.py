"""The tone curve under which contrasts on a display are seen most as they are in the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from hdrq.ops.contrast_response import response, sensitivity
from hdrq.ops.gaussians import burt

STEP = 0.1  # log10 units, of luminance and of contrast
REACH = 7  # contrasts counted, steps up and down
_SLOWEST = 3.0  # cycles per degree, of the last band
_PASSES = 200
_SETTLED = 0.02  # of the display's range that any level may move in the last pass; pfstools' curves are about there, too
_DARKEST, _BRIGHTEST = -80, 80  # bins


@dataclass(frozen=True)
class Contrasts:
    """How often a background in luminance bin `at` goes with a contrast over bins `start` to `stop`, band by band.

    contrast  its size, log10 units: whole steps, rounded up, so that a small one asks for its bin, too
    cycles    per degree, of the band
    count     pixels, as a share of the frame
    """

    at: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    contrast: np.ndarray
    cycles: np.ndarray
    count: np.ndarray
    first: int
    bins: int  # two or more


def count_contrasts(log_luminance: Tensor, ppd: float) -> Contrasts:
    """The joint histogram of background and contrast of one frame (1, 1, H, W), band by band.

    A band is the difference of two surrounds, each from the one before by five taps twice as far apart. The curve spans
    what the second surround does. Rounding and span are those of pfstools 2.2, found from its curves.
    """
    x, cycles, gap = log_luminance, ppd / 2, 1
    bands, span = [], x
    while True:
        low = burt(x, "reflect", gap)
        bands.append((low, x - low, cycles))
        span = low if len(bands) <= 2 else span
        if cycles <= _SLOWEST:
            break
        x, cycles, gap = low, cycles / 2, 2 * gap
    first = max(round(float(span.min()) / STEP), _DARKEST)
    last = max(min(round(float(span.max()) / STEP), _BRIGHTEST), first + 1)
    table = np.concatenate([_count(low, step, first, last, cycles) for low, step, cycles in bands], 1)
    at, start, stop = table[:3].astype(int)
    contrast, per_degree, count = table[3:]
    return Contrasts(at, start, stop, contrast, per_degree, count, first, last - first + 1)


def _count(low: Tensor, step: Tensor, first: int, last: int, cycles: float) -> np.ndarray:
    """(6, rows): background, first and last bin, contrast, band, count."""
    at = (low / STEP).round().long().clamp(_DARKEST, _BRIGHTEST)
    rise = (step.sign() * (step.abs() / STEP).ceil()).long()
    useful = (rise != 0) & (rise.abs() <= REACH)
    wide = 2 * REACH + 1
    keys = ((at - _DARKEST) * wide + rise + REACH)[useful]
    counts = torch.bincount(keys, minlength=1).cpu().numpy()
    k = np.nonzero(counts)[0]
    background, reach = k // wide + _DARKEST, k % wide - REACH
    start = np.maximum(np.minimum(background, background + reach), first)
    stop = np.minimum(np.maximum(background, background + reach), last)
    inside = start < stop
    rows = np.stack(
        [
            background.clip(first, last) - first,
            start - first,
            stop - first,
            np.abs(reach) * STEP,
            np.full(len(k), cycles),
            counts[k] / low.numel(),
        ]
    )
    return rows[:, inside]


def fit_curve(
    found: Contrasts, black: float, white: float, enhance: float, adapted_nits: float | None = None
) -> np.ndarray:
    """log10 display luminance at every bin, (bins,), rising from `black` to at most `white`.

    adapted_nits  what the eye that sees the scene is adapted to; None is the luminance it looks at
    """
    room, bins = white - black, found.bins
    if len(found.at) == 0:
        return np.linspace(black, white, bins)
    inside = np.arange(bins - 1)
    spans = ((inside >= found.start[:, None]) & (inside < found.stop[:, None])).astype(np.float64)
    seen_nits = 10 ** ((found.first + found.at) * STEP)
    scene_nits = seen_nits if adapted_nits is None else np.full_like(seen_nits, adapted_nits)
    wanted = _by_band(found, enhance * found.contrast, scene_nits)
    steps = np.full(bins - 1, room / (bins - 1))
    for _ in range(_PASSES):
        curve = black + np.concatenate([[0.0], np.cumsum(steps)])
        shown = np.maximum(spans @ steps, 1e-6)
        slope = _by_band(found, shown, 10 ** curve[found.at]) / shown
        rows = spans * (slope * np.sqrt(found.count))[:, None]
        solved = _least_squares(rows, wanted * np.sqrt(found.count), room)
        moved = np.abs(np.cumsum(solved - steps)).max()
        steps = solved
        if moved < _SETTLED * room:
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
