"""Sampled functions: integrals, interpolation, and lengths that Fourier transforms like.

scipy has all of them, but importing it takes longer than most scores; the tests hold these to scipy's numbers.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def integral(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Trapezoidal rule over the first axis: y (N, ...) at x (N,), the result has the remaining axes."""
    total: np.ndarray = _panels(y, x).sum(0)
    return total


def running_integral(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Trapezoidal rule from x[0] to every x: (N,) for y (N,) at x (N,), beginning with 0."""
    return np.concatenate([[0.0], np.cumsum(_panels(y, x))])


def _panels(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    width = np.diff(x).reshape(-1, *[1] * (y.ndim - 1))
    result: np.ndarray = width * (y[1:] + y[:-1]) / 2.0
    return result


def monotone_cubic(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """y (N, ...) at x (N,), N >= 3, interpolated at `at` (M,) without overshoot: (M, ...), NaN outside x.

    Fritsch and Butland 1984, doi:10.1137/0905021, with three-point slopes at both ends: MATLAB's pchip.
    """
    h = np.diff(x).reshape(-1, *[1] * (y.ndim - 1))
    rise = np.diff(y, axis=0) / h
    before, after = rise[:-1], rise[1:]
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (w1 + w2) / (w1 / before + w2 / after)
    inner = np.where(np.sign(before) * np.sign(after) > 0, mean, 0.0)
    first, last = _end_slope(h[0], h[1], rise[0], rise[1]), _end_slope(h[-1], h[-2], rise[-1], rise[-2])
    slope = np.concatenate([first[None], inner, last[None]])
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    s = (at - x[k]).reshape(-1, *[1] * (y.ndim - 1))
    bend = (slope[k] + slope[k + 1] - 2 * rise[k]) / h[k]
    square = (rise[k] - slope[k]) / h[k] - bend
    result: np.ndarray = y[k] + s * (slope[k] + s * (square + s * bend / h[k]))
    result[(at < x[0]) | (at > x[-1])] = np.nan
    return result


def _end_slope(h0: np.ndarray, h1: np.ndarray, rise0: np.ndarray, rise1: np.ndarray) -> np.ndarray:
    """Of the parabola through the three outer points, limited so that the curve stays monotone."""
    slope = ((2 * h0 + h1) * rise0 - h0 * rise1) / (h0 + h1)
    turns = np.sign(rise0) != np.sign(rise1)
    slope = np.where(turns & (np.abs(slope) > 3 * np.abs(rise0)), 3 * rise0, slope)
    return np.where(np.sign(slope) != np.sign(rise0), 0.0, slope)


def isotonic(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The non-decreasing sequence nearest to y (N,) in weighted least squares; weights (N,) > 0.

    Neighbours that contradict the order are replaced by their weighted mean (Ayer et al. 1955, doi:10.1214/aoms/1177728423).
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(y.tolist(), weights.tolist(), strict=True):
        size = 1
        while pools and pools[-1][0] >= value:
            before, mass, count = pools.pop()
            value, weight, size = (
                (before * mass + value * weight) / (mass + weight),
                mass + weight,
                size + count,
            )
        pools.append((value, weight, size))
    return np.repeat([p[0] for p in pools], [p[2] for p in pools])


@lru_cache(maxsize=4096)
def fast_length(n: int) -> int:
    """The smallest 2^a 3^b 5^c that is at least n >= 1."""
    best = 1 << (n - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            # the smallest power of two that makes the product at least n
            best = min(best, three << max(0, (-(-n // three) - 1).bit_length()))
            three *= 3
        five *= 5
    return best
