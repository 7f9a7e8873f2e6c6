"""Whether the difference between two metrics' correlations with the same subjective scores is significant.

The two correlations share the subjective scores and are therefore dependent; the tests use the correlation between
the two metrics. They assume independent images, which images of one scene are not: where there are
scenes, the bootstrap over scenes is more reliable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtr, stdtr


def williams(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Williams' t for two correlations with the same variable, and its two-sided p (n - 3 degrees of freedom).

    r1, r2  of metric 1 and metric 2 with the subjective scores; r12 between the metrics
    Source  Williams 1959; Steiger 1980, doi:10.1037/0033-2909.87.2.245, equation 7
    """
    if math.isnan(r1 + r2 + r12):  # one of the metrics is constant
        return math.nan, math.nan
    if n < 4 or r1 == r2:
        return 0.0, 1.0
    det = 1 - r1 * r1 - r2 * r2 - r12 * r12 + 2 * r1 * r2 * r12
    mean = (r1 + r2) / 2
    below = 2 * (n - 1) / (n - 3) * max(det, 0.0) + mean * mean * (1 - r12) ** 3
    if below <= 0:
        return math.copysign(math.inf, r1 - r2), 0.0
    t = (r1 - r2) * math.sqrt((n - 1) * (1 + r12) / below)
    return t, float(2 * stdtr(n - 3, -abs(t)))


def steiger(r1: float, r2: float, r12: float, n: int) -> tuple[float, float]:
    """Steiger's Z on Fisher's scale with the pooled correlation, and its two-sided p.

    Source  Steiger 1980, doi:10.1037/0033-2909.87.2.245, equation 14
    """
    if math.isnan(r1 + r2 + r12):  # one of the metrics is constant
        return math.nan, math.nan
    if n < 4 or r1 == r2:
        return 0.0, 1.0
    if max(abs(r1), abs(r2)) >= 1:
        return math.copysign(math.inf, r1 - r2), 0.0
    mean = (r1 + r2) / 2
    squares = mean * mean
    shared = (r12 * (1 - 2 * squares) - squares * (1 - 2 * squares - r12 * r12) / 2) / (1 - squares) ** 2
    if shared >= 1:
        return 0.0, 1.0
    z = (math.atanh(r1) - math.atanh(r2)) * math.sqrt((n - 3) / (2 - 2 * shared))
    return z, float(2 * ndtr(-abs(z)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p values that can be compared with one level for any number of tests.

    A test without a result (NaN) stays NaN and does not count.
    """
    order = sorted((i for i in range(len(p)) if not math.isnan(p[i])), key=lambda i: p[i])
    out, highest = [math.nan] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p[i]))
        out[i] = highest
    return out
