"""t-SNE: points of many dimensions on a plane, so that neighbours stay neighbours. Exact, for some thousand points.

Source  van der Maaten & Hinton, "Visualizing data using t-SNE", JMLR 9, 2008: perplexity, early exaggeration (4, for 50 steps),
momentum (0.5, after 250 steps 0.8) and gains as there; points of more than 50 dimensions are reduced to 50 by PCA first
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hdrq.errors import UsageError

Array = NDArray[np.float64]
# points; the matrices have as many rows and columns
MOST = 5000
_DIMENSIONS, _EXAGGERATED, _CALM = 50, 50, 250
_TINY = 1e-12


def tsne(
    points: ArrayLike, *, perplexity: float = 30.0, steps: int = 600, seed: int = 0, rate: float = 0.0
) -> Array:
    """Places (n, 2) of points (n, d), centred on 0.

    perplexity  effective number of neighbours; at most (n - 1) / 3
    rate        learning rate, 0 for n / 4 (of the exaggerated sums), at least 50
    Raises UsageError for fewer than 4 points, for more than 5000, and for values that are not finite.
    """
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2 or len(x) < 4:
        raise UsageError(f"t-SNE needs at least 4 points, not {len(x)}")
    if len(x) > MOST:
        raise UsageError(f"t-SNE is computed for at most {MOST} points, not {len(x)}; take a subset")
    if not np.isfinite(x).all():
        raise UsageError("t-SNE needs finite values; leave out points that are not")
    x = _reduced(x)
    shares = _joint(x, min(perplexity, (len(x) - 1) / 3))
    speed = rate or max(len(x) / 4, 50.0)
    y: Array = 1e-4 * np.random.default_rng(seed).standard_normal((len(x), 2))
    move, gains = np.zeros_like(y), np.ones_like(y)
    for step in range(steps):
        p = 4 * shares if step < _EXAGGERATED else shares
        slope = _gradient(p, y)
        gains = np.clip(np.where((slope > 0) != (move > 0), gains + 0.2, gains * 0.8), 0.01, None)
        move = (0.5 if step < _CALM else 0.8) * move - speed * gains * slope
        y = y + move
        y -= y.mean(0)
    places: Array = y
    return places


def _reduced(x: Array) -> Array:
    """The first 50 principal components."""
    centred: Array = x - x.mean(0)
    if x.shape[1] <= _DIMENSIONS:
        return centred
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    kept: Array = u[:, :_DIMENSIONS] * s[:_DIMENSIONS]
    return kept


def _squared(x: Array) -> Array:
    """Squared distances (n, n)."""
    own = (x**2).sum(1)
    found: Array = np.maximum(own[:, None] + own - 2 * x @ x.T, 0)
    return found


def _joint(x: Array, perplexity: float) -> Array:
    """Symmetric probabilities (n, n) whose rows have the perplexity before they are made symmetric."""
    apart, wanted = _squared(x), np.log(perplexity)
    found = np.zeros_like(apart)
    for i, row in enumerate(apart):
        near = np.delete(row, i)
        near = near - near.min()
        low, high, precision = 0.0, np.inf, 1.0 / max(float(near.mean()), _TINY)
        for _ in range(60):
            p = np.exp(-near * precision)
            total = p.sum()
            entropy = np.log(total) + precision * float((near * p).sum()) / total
            if abs(entropy - wanted) < 1e-6:
                break
            if entropy > wanted:
                low, precision = precision, precision * 2 if np.isinf(high) else (precision + high) / 2
            else:
                high, precision = precision, (precision + low) / 2
        found[i] = np.insert(p / total, i, 0)
    both: Array = np.maximum((found + found.T) / (2 * len(x)), _TINY)
    return both


def _gradient(p: Array, y: Array) -> Array:
    """Of the divergence of Student-t similarities of the places from p, (n, 2)."""
    near = 1 / (1 + _squared(y))
    np.fill_diagonal(near, 0)
    q = np.maximum(near / near.sum(), _TINY)
    pull = (p - q) * near
    slope: Array = 4 * (pull.sum(1)[:, None] * y - pull @ y)
    return slope
