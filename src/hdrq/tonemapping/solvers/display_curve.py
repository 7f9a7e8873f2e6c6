"""The tone curve with which contrasts on a display are most similar in visibility to the scene (Mantiuk 2008)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from hdrq.image.blur import burt


def sensitivity(cycles: float, nits: np.ndarray, distance_m: float = 0.5) -> np.ndarray:
    """Contrast sensitivity at a spatial frequency, cycles per degree, under adaptation to `nits`.

    Source: Daly 1993, The Visible Differences Predictor, for an image of one square degree
    """
    a = 0.801 * (1 + 0.7 / nits) ** -0.2
    b = 0.3 * (1 + 100 / nits) ** 0.15

    def peak(f: float) -> np.ndarray:
        low = ((3.23 * (f * f) ** -0.3) ** 5 + 1) ** -0.2
        e = b * 0.9 * f
        result: np.ndarray = low * a * 0.9 * f * np.exp(-e) * np.sqrt(1 + 0.06 * np.exp(e))
        return result

    accommodation = 0.856 * distance_m**0.14
    result: np.ndarray = 250 * np.minimum(peak(cycles / accommodation), peak(cycles))
    return result


def response(contrast: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
    """Response to a contrast in log10 units: threshold at about 1, compressed above.

    Source: Wilson 1980 as Mantiuk, Daly & Kerofsky 2008, doi:10.1145/1360612.1360667, use it
    """
    w = sensitive * (10 ** np.abs(contrast) - 1)
    result: np.ndarray = np.sign(contrast) * 3.291 * (np.cbrt(1 + w**3) - 1) / (0.2599 * (3.433 + w) ** 0.8)
    return result


# log10 units, of luminance and of contrast
STEP = 0.1
# contrasts counted, steps up and down
_REACH = 6
# log10 units, 1 %: what is less counts as even ground
_VISIBLE = 0.0043
# cycles per degree, of the last band
_SLOWEST = 3.0
_PASSES = 200
# what any step of the curve may change by in the last pass
_SETTLED = STEP / 10
# bins either side of 1 cd/m²
_END = 80


@dataclass(frozen=True)
class Contrasts:
    """Frequency of a background in luminance bin `at` with a contrast over bins `start` to `stop`, per band.

    contrast  its size, log10 units, in whole steps
    cycles    per degree, of the band
    count     pixels
    """

    at: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    contrast: np.ndarray
    cycles: np.ndarray
    count: np.ndarray
    first: int
    # two or more
    bins: int


def count_contrasts(log_luminance: Tensor, ppd: float) -> Contrasts:
    """The joint histogram of background and contrast of one frame (1, 1, H, W), band by band.

    A band is the difference of two surrounds, each from the one before by five taps twice as far apart. How contrasts
    are counted is pfstools 2.2's way, found from its curves: what is seen but under half a step counts as one, what is
    over six and a half is left out, and even ground asks for the steps above and below it as one pixel of each would.
    """
    x, cycles, gap, tables = log_luminance, ppd / 2, 1, []
    while True:
        low = burt(x, "reflect", gap)
        tables.append(_count(low, x - low, cycles))
        if cycles <= _SLOWEST:
            break
        x, cycles, gap = low, cycles / 2, 2 * gap
    at, start, stop, contrast, per_degree, count = np.concatenate(tables, 1)
    first = int(start.min()) if len(at) else round(float(log_luminance.min()) / STEP)
    last = int(stop.max()) if len(at) else max(round(float(log_luminance.max()) / STEP), first + 1)
    at, start, stop = ((z - first).astype(int) for z in (at, start, stop))
    return Contrasts(at, start, stop, contrast, per_degree, count, first, last - first + 1)


def _count(low: Tensor, step: Tensor, cycles: float) -> np.ndarray:
    """(6, rows): background, first and last bin, contrast, band, count."""
    at = (low / STEP).round_().clamp_(-_END, _END)
    rise = (step.abs() / STEP).round_().clamp_(1, _REACH + 1).copysign_(step)
    rise.masked_fill_(step.abs() < _VISIBLE, 0)
    # the outer two are of contrasts beyond reach
    wide = 2 * _REACH + 3
    keys = at.add_(_END).mul_(wide).add_(rise).add_(_REACH + 1).long().flatten()
    table = torch.bincount(keys, minlength=(2 * _END + 1) * wide).cpu().numpy().reshape(-1, wide)
    counts = table[:, 1:-1]
    even = counts[:, _REACH] > 0
    counts[even, _REACH - 1] += 1
    counts[even, _REACH + 1] += 1
    counts[:, _REACH] = 0
    place, reach = np.nonzero(counts)
    background, contrast, count = place - _END, reach - _REACH, counts[place, reach]
    start = np.minimum(background, background + contrast)
    stop = np.maximum(background, background + contrast)
    rows = np.stack([background, start, stop, np.abs(contrast) * STEP, np.full(len(place), cycles), count])
    return rows[:, (start >= -_END) & (stop <= _END)]


def fit_curve(
    contrasts: Contrasts, black: float, white: float, enhance: float, adapted_nits: float | None = None
) -> np.ndarray:
    """log10 display luminance at every bin, (bins,), rising from `black` to at most `white`.

    A step that no contrast spans stays flat.

    adapted_nits  adaptation luminance of the scene's observer; None is the luminance of each background
    """
    room, bins = white - black, contrasts.bins
    if len(contrasts.at) == 0:
        return np.linspace(black, white, bins)
    inside = np.arange(bins - 1)
    spans = ((inside >= contrasts.start[:, None]) & (inside < contrasts.stop[:, None])).astype(np.float64)
    used = spans.sum(0) > 0
    spans = spans[:, used]
    seen_nits = 10 ** ((contrasts.first + contrasts.at) * STEP)
    scene_nits = seen_nits if adapted_nits is None else np.full_like(seen_nits, adapted_nits)
    wanted = _by_band(contrasts, enhance * contrasts.contrast, scene_nits)
    weight = np.sqrt(contrasts.count / contrasts.count.sum())
    steps = np.full(used.sum(), room / used.sum())
    for _ in range(_PASSES):
        curve = _accumulated(steps, used, black)
        shown = np.maximum(spans @ steps, 1e-6)
        slope = _by_band(contrasts, shown, 10 ** curve[contrasts.at]) / shown
        solved = _least_squares(spans * (slope * weight)[:, None], wanted * weight, room)
        moved = np.abs(solved - steps).max()
        steps = solved
        if moved < _SETTLED:
            break
    return _accumulated(steps, used, black)


def _accumulated(steps: np.ndarray, used: np.ndarray, black: float) -> np.ndarray:
    """The curve, (bins,), of the heights of the steps that are used."""
    rises = np.zeros(len(used))
    rises[used] = steps
    return black + np.concatenate([[0.0], np.cumsum(rises)])


def _by_band(found: Contrasts, contrast: np.ndarray, nits: np.ndarray) -> np.ndarray:
    result = np.empty_like(contrast)
    for f in np.unique(found.cycles):
        own = found.cycles == f
        result[own] = response(contrast[own], sensitivity(f, nits[own]))
    return result


def _least_squares(rows: np.ndarray, right: np.ndarray, room: float) -> np.ndarray:
    """Projection to steps >= 0 whose sum is at most `room`."""
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
    result: np.ndarray = steps
    return result
