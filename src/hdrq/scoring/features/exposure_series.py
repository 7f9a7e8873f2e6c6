"""The exposures at which HDR-FLIP photographs a scene, and the curves that it develops them with.

Andersson, Nilsson, Shirley, Akenine-Möller, "Visualizing Errors in Rendered High Dynamic Range Images", Eurographics 2021.
"""

from __future__ import annotations

from math import ceil, inf, isfinite, log2, sqrt
from typing import Literal

from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.image.color import weigh

ToneCurve = Literal["aces", "hable", "reinhard"]
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_BRIGHT = 0.85  # what the brightest and the median luminance become in the first and the last photograph

# (a x² + b x + c) / (d x² + e x + f); ACES after Narkowicz with its exposure of 0.6, Hable of Uncharted 2.
_RATIONAL = {
    "aces": (0.36 * 2.51, 0.6 * 0.03, 0.0, 0.36 * 2.43, 0.6 * 0.59, 0.14),
    "hable": (0.231683, 0.013791, 0.0, 0.18, 0.3, 0.018),
}


def develop(light: Tensor, curve: ToneCurve) -> Tensor:
    """Exposed linear RGB (N, 3, H, W) to linear RGB of a display, 0..1 after clipping."""
    if curve == "reinhard":
        return light / (1 + weigh(light, _LUMINANCE))
    a, b, c, d, e, f = _RATIONAL[curve]
    return (light * (a * light + b) + c) / (light * (d * light + e) + f)


def exposure_series(
    ref: Tensor, curve: ToneCurve, start: float | None, stop: float | None, count: int
) -> list[float]:
    """Stops of one reference (1, 3, H, W): from its brightest to its median luminance on the curve, at most one stop apart.

    start, stop  replace those found in the reference; count  replaces max(2, ceil(stop - start)), 0 does not
    raises       UsageError where the first lies above the last, PixelError where black leaves nothing to expose for
    """
    luminance = weigh(ref.detach(), _LUMINANCE).flatten()
    x = _where_bright(curve)
    if start is None:
        start = _stops(x, float(luminance.max()), "is black; give start-exposure and stop-exposure")
    if stop is None:
        median = luminance.kthvalue(luminance.numel() // 2 + 1).values
        stop = _stops(x, float(median), "is black in more than half of its pixels; give stop-exposure")
    if start > stop:
        raise UsageError(f"hdr-flip's first exposure {start:g} lies above its last, {stop:g}; exchange them")
    n = count or max(2, ceil(stop - start))
    return [start + (stop - start) * i / max(n - 1, 1) for i in range(n)]


def _stops(x: float, luminance: float, problem: str) -> float:
    stops = log2(x / luminance) if luminance > 0 else inf
    if not isfinite(stops):
        raise PixelError(f"the reference {problem}")
    return stops


def _where_bright(curve: ToneCurve) -> float:
    """The light that a curve takes to 0.85."""
    if curve == "reinhard":
        return _BRIGHT / (1 - _BRIGHT)
    a, b, c, d, e, f = _RATIONAL[curve]
    p, q, r = a - _BRIGHT * d, b - _BRIGHT * e, c - _BRIGHT * f
    return (-q + sqrt(q * q - 4 * p * r)) / (2 * p)
