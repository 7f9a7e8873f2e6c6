"""Steps shared by the photographic operators: key, exposure, white and the curve."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from hdrq.image.statistics import (
    BT709_WEIGHTS,
    XYZ_WEIGHTS,
    brightest,
    darkest_positive,
    log_mean,
    luminance,
    ranked,
)

# Of logarithms: the position of a mean within a smaller range is that of rounding errors.
_LEAST_SPREAD = 0.01
_DELTA = {"paper": 1e-6, "hdrtoolbox": 1e-6, "pfstools": 1e-5}


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
