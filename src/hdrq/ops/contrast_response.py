"""How strongly the eye responds to a contrast, and how sensitive it is: the model of display adaptive tone mapping."""

from __future__ import annotations

import numpy as np


def sensitivity(cycles: float, nits: np.ndarray, distance_m: float = 0.5) -> np.ndarray:
    """Contrast sensitivity at a spatial frequency, cycles per degree, under adaptation to `nits`.

    Source: Daly 1993, The Visible Differences Predictor, for a picture of one square degree
    """
    a = 0.801 * (1 + 0.7 / nits) ** -0.2
    b = 0.3 * (1 + 100 / nits) ** 0.15

    def peak(f: float) -> np.ndarray:
        low = ((3.23 * (f * f) ** -0.3) ** 5 + 1) ** -0.2
        e = b * 0.9 * f
        return low * a * 0.9 * f * np.exp(-e) * np.sqrt(1 + 0.06 * np.exp(e))

    accommodation = 0.856 * distance_m**0.14
    return 250 * np.minimum(peak(cycles / accommodation), peak(cycles))


def response(contrast: np.ndarray, sensitive: np.ndarray) -> np.ndarray:
    """Response to a contrast in log10 units: threshold at about 1, compressed above.

    Source: Wilson 1980 as Mantiuk, Daly & Kerofsky 2008, doi:10.1145/1360612.1360667, use it
    """
    w = sensitive * (10 ** np.abs(contrast) - 1)
    return np.sign(contrast) * 3.291 * (np.cbrt(1 + w**3) - 1) / (0.2599 * (3.433 + w) ** 0.8)
