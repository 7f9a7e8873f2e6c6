"""Exposure ratios estimated from the pixels.

Source: Hanji & Mantiuk, "Robust estimation of exposure ratios in multi-exposure image stacks", IEEE TCI 2023,
doi:10.1109/TCI.2023.3301338. Every pixel gives an equation between each frame and the longest frame in which it is
unclipped. Here, the normal equations are a graph Laplacian over the frames, N x N for any number of pixels, and
equations with residuals above three standard deviations (motion) are dropped before solving again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hdrq.errors import PixelError

# tiles per side; pairs kept per tile, so that one bright area does not dominate
TILES, PER_TILE = 16, 50


@dataclass(frozen=True)
class Ratios:
    """relative (P,): exposures, the longest as given; spread (P,): standard error, stops."""

    relative: np.ndarray
    spread: np.ndarray
    ties: int
    dropped: float


def exposure_ratios(
    light: np.ndarray,
    clipped: np.ndarray,
    given: np.ndarray,
    tiles: np.ndarray | None = None,
    full_well: float = 20_000.0,
    rounds: int = 5,
) -> Ratios:
    """Exposures of P frames from the same N samples.

    light      (P, N) linear exposure of every sample, white = 1 (photo-electrons divided by full_well)
    clipped    (P, N) True where a sample is clipped or too dark to be used
    given      (P,) stated exposures; only the order and the value of the longest are used
    tiles      (N,) tile of the image that a sample is from
    full_well  photo-electrons at white; an equation has the weight 1 / (1/Y_f + 1/Y_e)
    """
    frames = len(light)
    order = np.argsort(given, kind="stable")
    longest = np.full(light.shape[1], -1)
    for k in order:
        longest = np.where(clipped[k], longest, k)
    start, end, gap, trust = [], [], [], []
    for k in range(frames):
        ok = ~clipped[k] & (longest != k) & (longest >= 0)
        at = np.flatnonzero(ok)
        if tiles is not None:
            at = _thinned(at, tiles, longest)
        f, e = light[longest[at], at], light[k, at]
        start.append(np.full(len(at), k))
        end.append(longest[at])
        gap.append(np.log(f / e))
        trust.append(full_well / (1 / f + 1 / e))
    i, j, m, w = (np.concatenate(part) for part in (start, end, gap, trust))
    anchor = order[-1]
    belief = np.ones_like(m)
    for _ in range(rounds):
        v = w * belief
        laplacian = np.zeros((frames, frames))
        for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            laplacian += sign * np.bincount(a * frames + b, v, frames * frames).reshape(frames, frames)
        right = np.bincount(j, v * m, frames) - np.bincount(i, v * m, frames)
        rest = np.delete(np.arange(frames), anchor)
        inner = laplacian[np.ix_(rest, rest)]
        if np.linalg.matrix_rank(inner, tol=1e-9 * max(np.trace(inner), 1e-300)) < len(rest):
            raise PixelError(
                "some frames have no unclipped pixels in common with the others; exposures cannot be estimated"
            )
        log = np.zeros(frames)
        log[rest] = np.linalg.solve(inner, right[rest])
        miss = (m - (log[j] - log[i])) * np.sqrt(w)
        scale = 1.4826 * np.median(np.abs(miss)) + 1e-12
        belief = (np.abs(miss) < 3 * scale).astype(float)
    spread = np.zeros(frames)
    spread[rest] = np.sqrt(np.diag(np.linalg.inv(inner))) * scale / np.log(2)
    return Ratios(given[anchor] * np.exp(log), spread, len(m), float(1 - belief.mean()))


def _thinned(at: np.ndarray, tiles: np.ndarray, longest: np.ndarray) -> np.ndarray:
    """At most PER_TILE samples per tile and partner frame, the first ones."""
    key = tiles[at].astype(np.int64) * 4096 + longest[at]
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.r_[True, key[1:] != key[:-1]]
    run = np.arange(len(key)) - np.maximum.accumulate(np.where(first, np.arange(len(key)), 0))
    return at[np.sort(order[run < PER_TILE])]
