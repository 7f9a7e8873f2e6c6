"""Training labels from subjective scores: the conversions used in the papers, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import leastsq

from hdrq.errors import UsageError

# largest JOD of UPIQ's 4,159 conditions
JOD_BEST = 0.943130668
JOD_WORST = -8.854307636
# of the logistic of `kadid_linearised`
_PARAMETERS = 5


def unit_range(values: ArrayLike) -> NDArray[np.float64]:
    """Values scaled linearly so that the smallest is 0 and the largest 1; all 0 where they are equal."""
    v = np.asarray(values, dtype=np.float64)
    low, high = v.min(), v.max()
    return (v - low) / (high - low) if high > low else np.zeros_like(v)


def jod_to_loss(jod: ArrayLike) -> NDArray[np.float64]:
    """JOD of UPIQ as quality loss: JOD 0.943 (the best) gives 0, JOD -8.854 gives 1, JOD 0 gives 0.09626.

    Source  Chubarau et al. 2024, training labels
    """
    return (JOD_BEST - np.asarray(jod, dtype=np.float64)) / (JOD_BEST - JOD_WORST)


def loss_to_jod(loss: ArrayLike) -> NDArray[np.float64]:
    """Inverse of `jod_to_loss`."""
    return JOD_BEST - (JOD_BEST - JOD_WORST) * np.asarray(loss, dtype=np.float64)


def kadid_linearised(mos: ArrayLike) -> NDArray[np.float64]:
    """Mean opinion scores as quality loss, 0 (best) .. 1, linearised by rank, as the paper does for KADID-10k.

    A five-parameter logistic is fitted from the sorted scores to their ranks i/n. The authors' program squares
    the residual before its least-squares fit, so that it minimises fourth powers; this is kept, because the labels
    depend on it.

    UsageError where fewer than five scores differ, or the fitted curve falls somewhere, so that labels would be out of order.

    Source  VTAMIQ's training labels, Chubarau & Clark 2021
    """
    q = unit_range(mos)
    ordered = np.sort(q)
    if np.unique(ordered).size < _PARAMETERS:
        raise UsageError(
            f"labels=kadid fits a curve of {_PARAMETERS} parameters, and there are only {np.unique(ordered).size} "
            "different scores; use labels=loss"
        )
    ranks = np.arange(ordered.size) / ordered.size
    start = (1.0, 1.0, np.median(ordered), 1.0, np.median(ranks))
    # full_output: without scipy's warning that the limit of evaluations is reached
    with np.errstate(over="ignore"):
        p = leastsq(lambda p: (_kadid_logistic(p, ordered) - ranks) ** 2, start, full_output=True)[0]
        placed = _kadid_logistic(p, q)
    # NaN too
    if not (np.diff(placed[np.unique(q, return_index=True)[1]]) > 0).all():
        raise UsageError(
            "labels=kadid: the curve that is fitted to the ranks of these scores does not rise everywhere; use labels=loss"
        )
    return 1.0 - unit_range(placed)


def _kadid_logistic(p: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """p0 (1/2 - 1/(1 + exp(p1 (x - p2) + 1e-6))) + |p3| x + p4."""
    result: NDArray[np.float64] = (
        p[0] * (0.5 - 1 / (1 + np.exp(p[1] * (x - p[2]) + 1e-6))) + abs(p[3]) * x + p[4]
    )
    return result
