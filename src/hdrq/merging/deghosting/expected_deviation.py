"""How far frames deviate from each other where nothing moves: errors of response and exposure, noise, dark codes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hdrq.merging.response.calibration import Calibration
from hdrq.merging.response.samples import Samples

# codes (of 1) outside which a pixel only bounds the radiance
BRIGHT, DARK = 0.92, 0.02
# for files of more than eight bits
DARK_DEEP = 0.0005
# limits of the relative deviation between frames that is not taken as motion
LEAST, MOST = 0.12, 0.5
# ln: dark codes with a larger typical deviation or scatter are below the noise floor
FLOOR_DEVIATION = 0.5
# upper limit of the noise floor, of 255
HIGHEST_FLOOR = 24


def expected_deviation(
    calibration: Calibration, samples: Samples, order: list[int], deep: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Typical deviation of a frame's radiance from the frames before it in `order`.

    deep     files of more than eight bits: the 256 steps are of the square root of code, for resolution in shadows
    returns  bias (P, 256): ln of the typical ratio per step of code, not 0 where response or exposure are wrong;
             tolerance (P, 256): relative scatter around it that is not motion, three robust standard deviations,
             between LEAST and MOST;
             noise floor (P,): code (of 1) below which flare, raised black and JPEG dominate
    """
    x = samples.codes / 255
    levels, channels = (65536 if deep else 256), x.shape[2]
    table = np.broadcast_to(calibration.response.table(levels), (levels, channels))
    log = np.log(np.maximum(table, 1e-9 * table.max()))
    steps = np.rint(255 * (np.sqrt(x) if deep else x)).astype(int)
    known = np.full(x.shape[1:], np.nan)
    bias, scatter, noise_floor = (
        np.zeros((len(order), 256)),
        np.full((len(order), 256), LEAST),
        np.zeros(len(order)),
    )
    for k in order:
        z = steps[k]
        seen = (x[k] > (DARK_DEEP if deep else DARK)) & (x[k] < BRIGHT)
        light = log[np.rint(x[k] * (levels - 1)).astype(int), np.arange(channels)]
        light = light - np.log(calibration.seconds[k])
        both = seen & np.isfinite(known)
        if both.sum() > 500:
            last = _noise_floor(z[both], (light - known)[both])
            seen &= z > last
            both &= seen
            noise_floor[k] = (last / 255) ** (2 if deep else 1)
        if both.sum() > 500:
            miss, at = (light - known)[both], z[both]
            bias[k] = np.clip(_median_by_code(at, miss), -FLOOR_DEVIATION, FLOOR_DEVIATION)
            scatter[k] = np.clip(3 * 1.4826 * _median_by_code(at, np.abs(miss - bias[k][at])), LEAST, MOST)
        known = np.where(np.isfinite(known) | ~seen, known, light - bias[k][z])
    return bias, scatter, noise_floor


def _noise_floor(code: np.ndarray, miss: np.ndarray, least: int = 20) -> int:
    """The highest dark step of code whose typical deviation or scatter exceeds FLOOR_DEVIATION; 0 if none does."""
    for q in range(HIGHEST_FLOOR, 0, -1):
        there = miss[code == q]
        if len(there) >= least:
            middle = _median(np.sort(there))
            if (
                middle > FLOOR_DEVIATION
                or 1.4826 * _median(np.sort(np.abs(there - middle))) > FLOOR_DEVIATION
            ):
                return q
    return 0


def _median_by_code(code: np.ndarray, value: np.ndarray, least: int = 10) -> np.ndarray:
    """(256,) typical value per code: the median of the medians of neighbouring codes.

    Every code has the same weight, so that a moving object of one colour does not dominate.
    """
    # by value, then by code: a byte is sorted stably in a pass over it, so that this takes a seventh of lexsort's time
    order = np.argsort(value)
    order = order[np.argsort(code[order].astype(np.uint8), kind="stable")]
    ends = np.searchsorted(code[order], np.arange(257))
    value = value[order]
    votes = np.array([_median(value[a:b]) if b - a >= least else np.nan for a, b in pairwise(ends)])
    if not np.isfinite(votes).any():
        return np.full(256, np.median(value))
    seen = np.flatnonzero(np.isfinite(votes))
    usual = [_median(np.sort(votes[seen[np.abs(seen - q) <= max(1, 0.15 * q)]])) for q in seen]
    result: np.ndarray = np.interp(np.arange(256), seen, usual)
    return result


def _median(rising: np.ndarray) -> float:
    """The median of sorted values, fifteen times as fast as numpy's for a few."""
    n = len(rising)
    return float(rising[(n - 1) // 2] + rising[n // 2]) / 2


def at_levels(table: np.ndarray, levels: int, deep: bool) -> np.ndarray:
    """A table over 256 steps of code (deep: of its square root) at all codes of `levels`, (levels,)."""
    x = np.linspace(0, 1, levels)
    result: np.ndarray = np.interp(255 * (np.sqrt(x) if deep else x), np.arange(256), table)
    return result
