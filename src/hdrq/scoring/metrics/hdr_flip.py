"""HDR-FLIP: the exposures at which it photographs a scene, the curves that it develops them with, and the largest error.

Andersson, Nilsson, Shirley, Akenine-Möller, "Visualizing Errors in Rendered High Dynamic Range Images", Eurographics 2021.
"""

from __future__ import annotations

from math import ceil, inf, isfinite, log2, sqrt
from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import PixelError, UsageError
from hdrq.image.color import weigh
from hdrq.scoring.features.flip_error import flip_error
from hdrq.scoring.features.pixel_errors import WeightedPool, weighted_pool

ToneCurve = Literal["aces", "hable", "reinhard"]
_LUMINANCE = (0.2126, 0.7152, 0.0722)
# what the brightest and the median luminance become in the first and the last photograph
_BRIGHT = 0.85
# (a x² + b x + c) / (d x² + e x + f); ACES after Narkowicz with its exposure of 0.6, Hable of Uncharted 2.
_RATIONAL = {
    "aces": (0.36 * 2.51, 0.6 * 0.03, 0.0, 0.36 * 2.43, 0.6 * 0.59, 0.14),
    "hable": (0.231683, 0.013791, 0.0, 0.18, 0.3, 0.018),
}


@metric(
    Card(
        title="HDR-FLIP: FLIP at all exposures that suit the reference",
        unit="1",
        better="lower",
        span=(0, 1),
        best=0.0,
        reads="linear",
        needs=("ppd",),
        planes=64,
        space="bt709",
        map="error",
        source="Andersson, Nilsson, Shirley, Akenine-Möller, Eurographics 2021 short papers; numbers as flip-evaluator 1.7",
    )
)
def hdr_flip(
    ref: Tensor,
    dist: Tensor,
    *,
    tonemapper: ToneCurve = "aces",
    start_exposure: float | None = None,
    stop_exposure: float | None = None,
    exposures: int = 0,
    pool: WeightedPool = "mean",
    show: Literal["error", "exposure"] = "error",
    ppd: float = 67.0206433,
) -> Reading:
    """The largest FLIP error of every pixel over photographs 2^e times as bright, each developed by a tone curve.

    ref, dist       (N, C, H, W), linear BT.709 light of any scale, the same for both
    tonemapper      aces, hable or reinhard
    start_exposure  first exposure in stops; by default that which takes the reference's brightest luminance to 0.85
    stop_exposure   last exposure; by default that which takes its median luminance to 0.85
    exposures       how many; 0: one a stop, at least two
    pool            mean; or q1, median, q3 weighted by the error, as flip prints them; or min, max
    show            meaning of the map: error of every pixel, 0..1; or exposure at which it is largest, 0 the first, 1 the last
    ppd             pixels per degree. The program's own is 67.0206: 3840 pixels of 0.7 m seen from 0.7 m
    extra           start_exposure, stop_exposure, exposures
    Exposures come from the reference alone, so that exchanging the images may change the value.
    raises          UsageError where the first exposure lies above the last; PixelError where it is too dark to choose one
    """
    if exposures < 0:
        raise UsageError(f"hdr-flip cannot take {exposures} exposures; 0 chooses their number")
    ends = [None if e is None else float(e) for e in (start_exposure, stop_exposure)]
    found, places, series = [], [], []
    for a, b in zip(ref.expand(-1, 3, -1, -1).split(1), dist.expand(-1, 3, -1, -1).split(1)):
        series.append(exposure_series(a, tonemapper, ends[0], ends[1], exposures))
        worst, where = _worst(a, b, series[-1], tonemapper, ppd)
        found.append(worst)
        places.append(where)
    errors = torch.cat(found)
    extra = {
        "start_exposure": ref.new_tensor([s[0] for s in series]),
        "stop_exposure": ref.new_tensor([s[-1] for s in series]),
        "exposures": ref.new_tensor([len(s) for s in series]),
    }
    value = weighted_pool(errors, pool)
    if show == "exposure":
        return Reading(value, torch.cat(places), extra, shows="exposure")
    return Reading(value, errors, extra)


def _worst(
    ref: Tensor, dist: Tensor, stops: list[float], curve: ToneCurve, ppd: float
) -> tuple[Tensor, Tensor]:
    """(1, 1, H, W) twice: the largest error over the exposures, and at which it was reached first, 0..1."""
    worst = ref.new_full((1, 1, *ref.shape[-2:]), -1.0)
    where = torch.zeros_like(worst)
    for place, stop in enumerate(stops):
        errors = flip_error(develop(ref * 2.0**stop, curve), develop(dist * 2.0**stop, curve), ppd)
        where = torch.where(errors > worst, place / max(len(stops) - 1, 1), where)
        worst = torch.maximum(worst, errors)
    return worst, where


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
