"""Debevec and Malik's camera response."""

from __future__ import annotations

import numpy as np

from hdrq.merging.cards import EstimatorCard, entry
from hdrq.merging.weights import weight_table

# ln units: residual up to which a pixel keeps its full weight
FLOOR = 0.05


@entry(
    EstimatorCard(
        title="Debevec-Malik response: smooth least squares of log exposure",
        source="Debevec & Malik, SIGGRAPH 1997, doi:10.1145/258734.258884",
    )
)
def debevec(
    samples: np.ndarray,
    seconds: np.ndarray,
    *,
    smooth: float | None = None,
    weight: str = "triangle-floor",
    rounds: int = 1,
) -> np.ndarray:
    """ln exposure of every 8-bit code, (256, C) float64, 0 at code 128.

    samples  (P, N, C) codes 0..255; fractions (of deeper files) are split between the two adjacent codes
    seconds  (P,) relative exposures
    smooth   λ on the second differences; None is 10 for 70 samples, growing with the root of their number
    rounds   more than 1: pixels with large residuals (motion, flare) lose weight, as in least absolute deviations

    Minimises Σ w(z)²(g(z) - ln E - ln t)² + Σ (λ w(z) g″(z))². The unknown ln E of every pixel is eliminated
    analytically, which leaves 256 normal equations for any number of pixels.
    """
    count = samples.shape[1]
    log_t = np.log(np.asarray(seconds, float))
    smooth = 10 * np.sqrt(count / 70) if smooth is None else smooth
    w = weight_table(weight, np.arange(256) / 255)
    return np.stack([_curve(samples[..., c], log_t, smooth, w, rounds) for c in range(samples.shape[2])], 1)


def _curve(z: np.ndarray, log_t: np.ndarray, smooth: float, w: np.ndarray, rounds: int) -> np.ndarray:
    """One channel: z (P, N) to (256,)."""
    knots = np.arange(256)
    trust = np.interp(z, knots, w) ** 2
    z, trust = z[:, trust.sum(0) > 0], trust[:, trust.sum(0) > 0]
    belief = np.ones_like(trust)
    for _ in range(rounds):
        v = trust * belief
        g = _solve(z, v, log_t, smooth * w[1:-1])
        miss = np.interp(z, knots, g) - log_t[:, None]
        miss = np.abs(miss - (v * miss).sum(0) / v.sum(0))
        belief = FLOOR / np.maximum(miss, FLOOR)
    return g


def _solve(z: np.ndarray, trust: np.ndarray, log_t: np.ndarray, stiff: np.ndarray) -> np.ndarray:
    """The curve (256,) from weighted codes z (P, N)."""
    low = np.clip(np.floor(z).astype(np.int64), 0, 255)
    share = z - low
    parts = [(low, 1 - share)]
    if share.any():
        parts.append((np.minimum(low + 1, 255), share))
    total = trust.sum(0)
    mean_t = (trust * log_t[:, None]).sum(0) / total
    normal, right = np.zeros((256, 256)), np.zeros(256)
    for k in range(len(z)):
        for code, part in parts:
            right += np.bincount(code[k], trust[k] * part[k] * (log_t[k] - mean_t), 256)
            for other, rest in parts:
                _add(normal, code[k], other[k], trust[k] * part[k] * rest[k])
        for j in range(len(z)):
            for code, part in parts:
                for other, rest in parts:
                    _add(normal, code[k], other[j], -trust[k] * trust[j] / total * part[k] * rest[j])
    bend = np.diff(np.eye(256), 2, axis=0) * stiff[:, None]
    normal += bend.T @ bend
    # g(128) = 0
    normal[128, 128] += 1.0
    return np.linalg.lstsq(normal, right, rcond=1e-15)[0]


def _add(matrix: np.ndarray, row: np.ndarray, column: np.ndarray, value: np.ndarray) -> None:
    matrix += np.bincount(row * 256 + column, value, 65536).reshape(256, 256)
