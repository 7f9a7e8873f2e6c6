"""Exposure of a scene: gains that crush and clip the fewest pixels, and the key, white and curve of photographic operators."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hdrq.image.statistics import (
    BT709_WEIGHTS,
    XYZ_WEIGHTS,
    brightest,
    counted,
    darkest_positive,
    log_mean,
    luminance,
    quantile,
    ranked,
)
from hdrq.image.transfer import srgb_to_linear

# candidate exposures per stop
_STEPS = 8
# Of logarithms: the position of a mean within a smaller range is that of rounding errors.
_LEAST_SPREAD = 0.01
_DELTA = {"paper": 1e-6, "hdrtoolbox": 1e-6, "pfstools": 1e-5}


def most_well_exposed(luminance: Tensor, low: float = 0.05, high: float = 0.95) -> Tensor:
    """The gain, (N, 1, 1, 1), with the most pixels between two sRGB codes; the largest of equal ones.

    It uses a histogram of log2 luminance with eight bins per stop, so that a few pixels do not decide.
    """
    dark, bright = (float(srgb_to_linear(torch.tensor(c, dtype=torch.float64)).log2()) for c in (low, high))
    width = round((bright - dark) * _STEPS)
    gains = []
    for frame in luminance.detach():
        y = counted(frame)
        bins = (y[y > 0].log2().double() * _STEPS).floor()
        if bins.numel() == 0:
            gains.append(1.0)
            continue
        first = int(bins.min())
        counts = torch.bincount((bins - first).long())
        sums = torch.nn.functional.pad(counts.cumsum(0), (width, 0))
        ends = torch.arange(len(counts), device=counts.device)
        inside = sums[ends + width] - sums[ends]
        top = int(inside.argmax())
        gains.append(2.0 ** (bright - (first + top + 1) / _STEPS))
    return luminance.new_tensor(gains).view(-1, 1, 1, 1)


def window_exposure(luminance: Tensor, stops: float = 8.0, bins: int = 4096, floor: float = 1e-6) -> Tensor:
    """The gain, (N, 1, 1, 1), that maps the top of the window of `stops` with the most pixels to 1.

    The window slides over a histogram of log2(luminance + floor) between its extremes; of equal windows the first.
    Source: behaviour of BestExposureTMO of HDR Toolbox 5375d05 with 'histogram', determined from its output.
    """
    logs = (luminance.detach().double() + floor).log2()
    gains = []
    for frame in logs:
        x = counted(frame).flatten()
        low, span = float(x.min()), float(x.max() - x.min())
        if span == 0:
            gains.append(2.0**-low)
            continue
        place = ((x - low) / span * (bins - 1)).long()
        half = min(round(stops / 2 * bins / span), bins)
        sums = torch.nn.functional.pad(torch.bincount(place, minlength=bins).cumsum(0), (1, 0))
        at = torch.arange(1, bins + 1, device=x.device)
        inside = sums[(at + half).clamp(max=bins)] - sums[(at - half - 1).clamp(min=0)]
        first = int((inside == inside.max()).nonzero()[0]) + 1
        gains.append(2.0 ** -(low + first * span / bins + stops / 2))
    return luminance.new_tensor(gains).view(-1, 1, 1, 1)


def bracket(light: Tensor, step: float, most: int) -> list[Tensor]:
    """Exposures (N, C, H, W) of linear light clipped to 0..1, in order of increasing brightness of the scene parts.

    They map the quantiles from 1 to 99.5 % of luminance to 0.18, one every `step` stops, between two and `most`.
    """
    y = luminance(light).clamp(min=1e-9)
    low, high = quantile(y, 0.01).log2(), quantile(y, 0.995).log2()
    count = int(min(max(2, float((high - low).detach().max()) // step + 1), most))
    shares = [i / (count - 1) for i in range(count)]
    return [(light * 0.18 / 2 ** (low + s * (high - low))).clamp(0, 1) for s in shares]


def gain_to_grey(luminance: Tensor, ev: float, auto: bool) -> float | Tensor:
    """The gain that maps the geometric mean to a middle grey of 0.18, and shifts it by `ev` stops.

    auto  False: the light is already exposed
    """
    gain: float = 2.0**ev
    return gain * 0.18 / log_mean(luminance) if auto else gain


class Exposed(NamedTuple):
    """luminance unchanged; scaled = key L / L̄; the scaled white and the key that were used."""

    luminance: Tensor
    scaled: Tensor
    white: Tensor | float
    key: Tensor | float


def expose(light: Tensor, key: float | None, white: float | None, variant: str) -> Exposed:
    """The scene scaled to its key. None uses Reinhard's estimate of the key and, by variant, of the white."""
    y = luminance(light, XYZ_WEIGHTS if variant == "pfstools" else BT709_WEIGHTS)
    average = log_mean(y, _DELTA[variant])
    found = estimate_key(y) if key is None else key
    scaled = found * y / average
    if white is None:
        return Exposed(y, scaled, estimate_white(y) if variant == "hdrtoolbox" else brightest(scaled), found)
    return Exposed(y, scaled, white, found)


def expose_robustly(light: Tensor, key: float | None, white: float | None) -> Exposed:
    """Luminance is first clipped to its 1 % and 99 % quantiles; there is no separate white.

    Source: behaviour of ReinhardRobustTMO of HDR Toolbox 5375d05, determined from its output.
    """
    y = luminance(light)
    cut = y.clamp(min=ranked(y, 0.01), max=ranked(y, 0.99))
    found = estimate_key(cut, 1e-5) if key is None else key
    return Exposed(y, found * cut / log_mean(cut, 1e-5), 1e30 if white is None else white, found)


def estimate_key(y: Tensor, delta: float = 1e-6) -> Tensor:
    """0.18 · 4^((2 L̄ - L_min - L_max) / (L_max - L_min)) in log2, with 1 % and 99 % ranks. Source: Reinhard 2002, JGT."""
    average = (log_mean(y, name="mean for the key") + delta).log2()
    low, high = (
        (ranked(y, share, name=f"rank {share} for the key") + delta).log2() for share in (0.01, 0.99)
    )
    spread = (high - low).clamp(min=_LEAST_SPREAD)
    return 0.18 * 4 ** ((2 * average - low - high) / spread).clamp(-2, 2)


def estimate_white(y: Tensor) -> Tensor:
    """1.5 · 2^(log2 L_max - log2 L_min - 5), of the luminances above 0. Source: Reinhard 2002, JGT."""
    range_in_stops = (brightest(y, name="brightest for the white") + 1e-6).log2() - (
        darkest_positive(y) + 1e-6
    ).log2()
    return 1.5 * 2 ** (range_in_stops - 5)


def compress(scaled: Tensor, around: Tensor, white: Tensor | float) -> Tensor:
    """L (1 + L / white²) / (1 + V), V the adaptation luminance around the pixel."""
    share = scaled / white if isinstance(white, float | int) else scaled / white.clamp(min=1e-12)
    return (scaled + share * share) / (1 + around)


def relative_key(y: Tensor) -> Tensor:
    """Position of ln L̄ between the 1 % and 99 % quantiles of ln L, 0 dark to 1 bright."""
    low, high = (ranked(y, share).clamp(min=1e-6).log() for share in (0.01, 0.99))
    return ((log_mean(y).log() - low) / (high - low).clamp(min=_LEAST_SPREAD)).clamp(0, 1)
