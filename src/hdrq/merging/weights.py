"""Weights of codes by their distance to black and to clipping.

Every weight is a function of x, the code divided by the largest code (0..1), of any shape, with values 0..1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Literal

import numpy as np

from hdrq.errors import UnknownName

Edge = Literal["hold", "toolbox", "none"]
Array = np.ndarray


def flat(x: Array) -> Array:
    """The same weight for every code."""
    return np.ones_like(x)


def hat(x: Array) -> Array:
    """A wide plateau. Source: Reinhard et al., High Dynamic Range Imaging, 2nd ed., section 5.7."""
    return 1 - (2 * x - 1) ** 12


def triangle(x: Array) -> Array:
    """Source: Debevec & Malik, SIGGRAPH 1997, doi:10.1145/258734.258884, eq. 4, peak scaled to 1."""
    result: Array = 1 - np.abs(2 * x - 1)
    return result


def triangle_floor(x: Array) -> Array:
    """The triangle in 8-bit codes plus 1e-6, so that clipped pixels have a value. Source: OpenCV."""
    result: Array = np.minimum(255 * x, 255 - 255 * x) + 1e-6
    return result


def triangle_5(x: Array) -> Array:
    """The triangle, zero below 5 % and above 95 %. Source: HDR Toolbox 'Deb97_p05'."""
    return np.where((x < 0.05) | (x > 0.95), 0.0, np.minimum(x - 0.05, 0.95 - x)) * 2


def gaussian(x: Array) -> Array:
    """exp(-16 (x - ½)²), shifted to 0 at the ends, peak 1."""
    return (np.exp(-16 * (x - 0.5) ** 2) - exp(-4)) / (1 - exp(-4))


def robertson(x: Array) -> Array:
    """Source: Robertson et al., J. Electronic Imaging 12(2), 2003, doi:10.1117/1.1557695, eq. 15 shifted to 0."""
    e4 = exp(4)
    result: Array = e4 / (e4 - 1) * np.exp(-((4 * x - 2) ** 2)) + 1 / (1 - e4)
    return result


def sigmoid(x: Array) -> Array:
    """Two smooth steps, 0.025..0.2 and 0.8..0.975, each 3s²-2s³ applied twice."""

    def step(s: Array) -> Array:
        s = np.clip(s, 0, 1)
        result: Array = s * s * (3 - 2 * s)
        return result

    rise, fall = (x - 0.025) / 0.175, (0.975 - x) / 0.175
    result: Array = step(step(rise)) * step(step(fall))
    return result


def plateau(x: Array) -> Array:
    """1 - (2x - 1)^12 where it exceeds 0.00025, else 0: clipped codes have no weight."""
    w = hat(x)
    return np.where(w > 0.00025, w, 0.0)


def identity(x: Array) -> Array:
    """A weight that increases with the code."""
    return x


def reverse(x: Array) -> Array:
    """A weight that decreases with the code."""
    return 1 - x


WEIGHTS: dict[str, Callable[[Array], Array]] = {
    "flat": flat,
    "hat": hat,
    "triangle": triangle,
    "triangle-floor": triangle_floor,
    "triangle-5": triangle_5,
    "gaussian": gaussian,
    "robertson": robertson,
    "sigmoid": sigmoid,
    "plateau": plateau,
    "identity": identity,
    "reverse": reverse,
}


def weight_table(name: str, codes: Array) -> Array:
    """Weights (levels,) float64 of codes 0..1."""
    if name not in WEIGHTS:
        raise UnknownName(f"unknown weight '{name}'; choose one of {', '.join(WEIGHTS)}, noise")
    result: Array = np.maximum(WEIGHTS[name](np.asarray(codes, float)), 0.0)
    return result


def keep_ends(table: Array, codes: Array, shortest: bool, longest: bool, edge: Edge = "hold") -> Array:
    """The rule for the two outer frames: the shortest keeps highlights, the longest keeps shadows.

    "hold"     the shortest frame's weight stays at its peak above it, the longest's below it
    "toolbox"  the shortest has the weight x, the longest 1 - x (HDR Toolbox's BuildHDR)
    "none"     as tabulated
    """
    if edge == "none" or not (shortest or longest):
        return table
    if edge == "toolbox":
        return identity(codes) if shortest else reverse(codes)
    held, peak = table.copy(), table.max()
    top = int(np.flatnonzero(table >= peak * (1 - 1e-12)).mean())
    if shortest:
        held[top:] = peak
    if longest:
        held[: top + 1] = peak
    return held
