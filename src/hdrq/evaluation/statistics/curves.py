"""Curves from a metric's scale to the scale of the subjective scores, fitted by least squares.

Without a curve, PLCC would depend on the non-linearity of the metric's scale. The curve is fitted to values scaled to
0..1; its result is on the scale of the subjective scores. Every fit records whether it converged; where it did not, or
could not be made, a straight line is used and the note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import lsq_linear, minimize

from hdrq.errors import UsageError
from hdrq.evaluation.statistics.correlation import inner

Array = NDArray[np.float64]
# parameters, x -> values, Jacobian (n, p)
Form = Callable[[Sequence[float], Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Curve:
    """A fitted curve: call it with metric values to get predicted subjective scores.

    parameters  of the form, for x and y scaled to 0..1
    x, y        (value at 0, distance to 1); x is reversed where scores decrease as the metric increases
    note        "" where the fit converged, else what was done instead
    """

    form: str
    parameters: tuple[float, ...]
    x: tuple[float, float]
    y: tuple[float, float]
    note: str = ""

    @property
    def converged(self) -> bool:
        """Whether the fit ended at a minimum."""
        return not self.note

    def __call__(self, values: ArrayLike) -> Array:
        x = (np.asarray(values, dtype=np.float64) - self.x[0]) / self.x[1]
        return _FORMS[self.form](self.parameters, x.ravel())[0].reshape(x.shape) * self.y[1] + self.y[0]

    def jacobian(self, values: ArrayLike) -> Array:
        """Derivatives (n, p) of the curve by its parameters, with y scaled to 0..1."""
        x = (np.asarray(values, dtype=np.float64).ravel() - self.x[0]) / self.x[1]
        return _FORMS[self.form](self.parameters, x)[1]


def _logistic5(p: Sequence[float], x: Array) -> tuple[Array, Array]:
    """p0 (1/2 - 1/(1 + exp(p1 (x - p2)))) + p3 x + p4."""
    s = _sigmoid(p[1] * (x - p[2]))
    bend = p[0] * s * (1 - s)
    slopes = (s - 0.5, bend * (x - p[2]), -bend * p[1], x, np.ones_like(x))
    return p[0] * (s - 0.5) + p[3] * x + p[4], np.stack(slopes, 1)


def _logistic4(p: Sequence[float], x: Array) -> tuple[Array, Array]:
    """p1 + (p0 - p1) / (1 + exp(-(x - p2) / p3))."""
    s = _sigmoid((x - p[2]) / p[3])
    bend = (p[0] - p[1]) * s * (1 - s)
    return p[1] + (p[0] - p[1]) * s, np.stack((s, 1 - s, -bend / p[3], -bend * (x - p[2]) / p[3] ** 2), 1)


def _cubic(p: Sequence[float], x: Array) -> tuple[Array, Array]:
    """p0 + p1 x + p2 x² + p3 x³."""
    powers = np.stack((np.ones_like(x), x, x * x, x * x * x), 1)
    return powers @ np.asarray(p, dtype=np.float64), powers


def _line(p: Sequence[float], x: Array) -> tuple[Array, Array]:
    return p[0] + p[1] * x, np.stack((np.ones_like(x), x), 1)


_FORMS: Mapping[str, Form] = {
    "logistic5": _logistic5,
    "logistic4": _logistic4,
    "cubic": _cubic,
    "line": _line,
}


def logistic5(x: ArrayLike, y: ArrayLike) -> Curve:
    """The five-parameter logistic: a sigmoid plus a line, neither of which may decrease.

    Unconstrained least squares often gives a decreasing step on an increasing line, which is not a mapping between
    scales. VTAMIQ's evaluation constrains the line; here the step is constrained too.

    Source  Sheikh, Sabir & Bovik 2006, doi:10.1109/TIP.2006.881959
    """
    u, v, xs, ys = _moved(x, y)
    steepness, centre, (height, floor, slope), note = _sigmoid_fit(u, v, line=True)
    return Curve("logistic5", (height, steepness, centre, slope, floor + height / 2), xs, ys, note)


def logistic4(x: ArrayLike, y: ArrayLike) -> Curve:
    """The four-parameter logistic, monotone.

    Source  VQEG FR-TV phase II report, 2003
    """
    u, v, xs, ys = _moved(x, y)
    steepness, centre, (height, floor, _), note = _sigmoid_fit(u, v, line=False)
    return Curve("logistic4", (floor + height, floor, centre, 1 / steepness), xs, ys, note)


def cubic(x: ArrayLike, y: ArrayLike) -> Curve:
    """The third-order polynomial of least squares, constrained to be monotonic between the ends of x.

    In the Bernstein basis a polynomial with increasing coefficients is increasing, so that a bounded linear
    least-squares fit finds it. (Some increasing cubics have other coefficients; they are not searched.)

    Source  ITU-T P.1401: monotonic third-order mapping
    """
    u, v, xs, ys = _moved(x, y)
    w = 1 - u
    bernstein = np.stack((w**3, 3 * u * w**2, 3 * u**2 * w, u**3), 1)
    # coefficients as an offset and three increments
    steps = bernstein @ np.tril(np.ones((4, 4)))
    found = lsq_linear(steps, v, ([-np.inf, 0, 0, 0], np.inf))
    c = np.cumsum(found.x)
    p = (c[0], 3 * (c[1] - c[0]), 3 * (c[2] - 2 * c[1] + c[0]), c[3] - 3 * c[2] + 3 * c[1] - c[0])
    return Curve(
        "cubic", tuple(map(float, p)), xs, ys, "" if found.success else f"not converged: {found.message}"
    )


def line(x: ArrayLike, y: ArrayLike) -> Curve:
    """The straight line of least squares."""
    u, v, xs, ys = _moved(x, y)
    slope, height = np.polyfit(u, v, 1) if np.ptp(u) else (0.0, float(v.mean()))
    return Curve("line", (float(height), float(slope)), xs, ys)


FITS: Mapping[str, Callable[[ArrayLike, ArrayLike], Curve]] = {
    "logistic5": logistic5,
    "logistic4": logistic4,
    "cubic": cubic,
    "line": line,
}


def fit(form: str, x: ArrayLike, y: ArrayLike) -> Curve:
    """A curve of this form, or a straight line (with a note) where there are too few different values."""
    n, distinct = np.size(x), np.unique(np.asarray(x, dtype=np.float64)).size
    if form not in FITS:
        raise UsageError(f"unknown curve '{form}'; choose one of {', '.join(FITS)}")
    needed = {"logistic5": 6, "logistic4": 5, "cubic": 5, "line": 2}[form]
    if n < needed or distinct < needed:
        flat = line(x, y)
        note = f"{form} needs {needed} different values, there are {distinct}: straight line used"
        return Curve("line", flat.parameters, flat.x, flat.y, note)
    return FITS[form](x, y)


def _sigmoid_fit(u: Array, v: Array, line: bool) -> tuple[float, float, tuple[float, float, float], str]:
    """(steepness, centre) of a sigmoid, (its height, offset, slope of a line), and a note.

    For given steepness and centre the rest is a linear problem, so that only these two are searched, from several starts
    and within bounds: the width of the step is at least a fifth of the metric's standard deviation, so that it cannot fit
    single images, and at most fifty, so that a very high sigmoid cannot imitate a cubic.
    """
    width = max(float(u.std()), 1e-3)
    within = ((np.log(0.02 / width), np.log(10 / width)), (-2.0, 3.0))
    starts = [(np.log(k / width), c) for k in (0.8, 3.0, 8.0) for c in (float(np.median(u)), 0.25, 0.75)]

    def search(
        start: Sequence[float], x: Array, y: Array, limit: int
    ) -> tuple[float, bool, tuple[float, float]]:
        scale = float(np.sum((y - y.mean()) ** 2)) or 1.0
        found = minimize(
            lambda p: float(np.sum(_linear(p, x, y, line)[1] ** 2)) / scale,
            start,
            # the residual has kinks where the sigmoid or the line vanishes
            method="Nelder-Mead",
            bounds=within,
            options={"maxfev": limit, "xatol": 1e-5, "fatol": 1e-11},
        )
        return float(found.fun), not found.success, (float(found.x[0]), float(found.x[1]))

    near, mean = _thinned(u, v)
    likely = sorted((float(np.sum(_linear(s, near, mean, line)[1] ** 2)), s) for s in starts)[:2]
    _, failed, best = min(search(start, near, mean, 400) for _, start in likely)
    if u.size > near.size:
        _, _, best = search(best, u, v, 40)
    coefficients, _ = _linear(best, u, v, line)
    return float(np.exp(best[0])), best[1], coefficients, "not converged in 400 steps" if failed else ""


def _linear(p: Sequence[float], x: Array, y: Array, line: bool) -> tuple[tuple[float, float, float], Array]:
    """(height, offset, slope) of least squares for a given log steepness and centre, and the residual."""
    s = _sigmoid(np.exp(p[0]) * (x - p[1]))
    # relative to their means the offset drops out
    around, to = s - s.mean(), y - y.mean()
    ss, sy = inner(around, around), inner(around, to)
    # otherwise all images lie on the flat part of the sigmoid
    bends = ss > 1e-16 * x.size
    height, slope = max(sy / ss, 0.0) if bends else 0.0, 0.0
    if line:
        flat = x - x.mean()
        xx, sx, xy = inner(flat, flat), inner(around, flat), inner(flat, to)
        apart = ss * xx - sx * sx
        both = (
            ((xx * sy - sx * xy) / apart, (ss * xy - sx * sy) / apart)
            if bends and apart > 1e-12 * ss * xx
            else (-1.0, 0.0)
        )
        if min(both) >= 0:
            height, slope = both
        # one would decrease: use the better one alone
        elif xx > 0 and (not bends or max(xy, 0.0) ** 2 * ss >= max(sy, 0.0) ** 2 * xx):
            height, slope = 0.0, max(xy / xx, 0.0)
    floor = float(y.mean() - height * s.mean() - slope * x.mean())
    return (height, floor, slope), height * s + slope * x + (floor - y)


_MANY = 4000


def _thinned(u: Array, v: Array) -> tuple[Array, Array]:
    """Means of neighbours along u in a thousand bins, where there are more than a few thousand points."""
    if u.size <= _MANY:
        return u, v
    order = np.argsort(u, kind="stable")
    at = np.linspace(0, u.size, 1001).astype(int)[:-1]
    counts = np.diff(np.r_[at, u.size])
    return np.add.reduceat(u[order], at) / counts, np.add.reduceat(v[order], at) / counts


def _moved(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array, tuple[float, float], tuple[float, float]]:
    """x and y scaled to 0..1 so that y increases with x, and (value at 0, distance to 1) of each."""
    u, v = (np.array(values, dtype=np.float64) for values in (x, y))
    low, reach = float(v.min()), float(np.ptp(v)) or 1.0
    v, ys = (v - low) / reach, (low, reach)
    low, reach = float(u.min()), float(np.ptp(u)) or 1.0
    falls = inner(u - u.mean(), v - v.mean()) < 0
    xs = (low + reach, -reach) if falls else (low, reach)
    return (u - xs[0]) / xs[1], v, xs, ys


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(z, -700, 700)))
