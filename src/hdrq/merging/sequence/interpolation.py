"""Radiance at every pixel of a mosaic whose pixels have different exposures.

Source: Nayar & Mitsunaga, CVPR 2000, doi:10.1109/CVPR.2000.855857, who normalise each pixel by its exposure, discard those
that are clipped, and interpolate the missing. They leave open how; here it is done separately for every colour:
neighbours of other exposures are weighted by their noise and fitted by a plane (normalised convolution, Knutsson & Westin,
CVPR 1993), and a pixel's own value is averaged with the fit by their variances. That of the fit includes its mean squared
difference from valid pixels nearby, so that detail is kept where it is well measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import slide
from hdrq.merging.deghosting.ghost_detection import spread

# standard deviations, in pixels, of the fit, and of averages over a neighbourhood
NEAR, WIDE = 1.2, 2.5
# shares of white from which on a value is trusted less, and not at all
_FULL, _NONE = 0.9, 0.98
# added to the spread of the pixels of a fit, in squared pixels
_RIDGE = 1e-4
# computed at once, and read beside them
_ROWS, _MARGIN = 256, 24
_TINY = 1e-30


@dataclass(frozen=True)
class Exposures:
    """Of every number of a layout: light that reaches a pixel, and amplification; white = 1 of a pixel of light 1, gain 1.

    full, read  electrons that saturate a pixel at gain 1, and read noise there, which gain reduces
    step        smallest difference of values, of white
    """

    light: Tensor
    gain: Tensor
    full: float
    read: float
    step: float

    @property
    def total(self) -> Tensor:
        """Value of a radiance of 1."""
        return self.light * self.gain


def trust_of(values: Tensor, number: Tensor, exposures: Exposures) -> Tensor:
    """0 for pixels clipped at white to 1; pixels of the least exposure are always trusted, as nothing is brighter."""
    share = ((_NONE - values) / (_NONE - _FULL)).clamp(0, 1)
    least = exposures.total == exposures.total.min()
    return torch.where(least[number], torch.ones_like(share), share * share * (3 - 2 * share))


def variance_of(radiance: Tensor, number: Tensor, exposures: Exposures) -> Tensor:
    """Variance of the radiance that a pixel measures: photons, read noise and rounding."""
    e, light = exposures, exposures.light[number]
    other = (e.read / e.full) ** 2 + e.step**2 / 12
    return radiance.clamp(min=0) / (e.full * light) + other / e.total[number] ** 2


def interpolated(values: Tensor, number: Tensor, colour: Tensor, exposures: Exposures) -> Tensor:
    """(H, W) radiance of the colour of each pixel.

    values  (H, W) of white;  number (H, W): of its exposure;  colour (H, W): of its filter
    """
    out = torch.empty_like(values)
    h = len(values)
    for top in range(0, h, _ROWS):
        bottom = min(top + _ROWS, h)
        first, last = max(0, top - _MARGIN), min(h, bottom + _MARGIN)
        part = _strip(values[first:last], number[first:last], colour[first:last], exposures)
        out[top:bottom] = part[top - first : bottom - first]
    return out


def binned(values: Tensor, number: Tensor, exposures: Exposures) -> Tensor:
    """(H / 2, W / 2) radiance of squares of 2 x 2 pixels, weighted by their noise."""
    h, w = (n - n % 2 for n in values.shape)
    f, k = (
        t[:h, :w].unflatten(0, (-1, 2)).unflatten(2, (-1, 2)).permute(1, 3, 0, 2).flatten(0, 1)
        for t in (values, number)
    )
    trust = trust_of(f, k, exposures)
    mean = (trust * f).sum(0) / (trust * exposures.total[k]).sum(0)
    weight = trust / variance_of(mean.expand_as(f), k, exposures)
    result: Tensor = (weight * f / exposures.total[k]).sum(0) / weight.sum(0)
    return result


def _strip(values: Tensor, number: Tensor, colour: Tensor, e: Exposures) -> Tensor:
    out = torch.zeros_like(values)
    trust = trust_of(values, number, e)
    radiance = values / e.total[number]
    for channel in colour.unique():
        own = colour == channel
        usual = _average(radiance, own * trust * e.light[number], WIDE)
        variance = variance_of(usual, number, e)
        for k in number[own].unique():
            here = own & (number == k)
            others = own & (number != k)
            fit, theirs, lever = _plane(radiance, others * trust / variance, others & (trust > 0.5), usual)
            valid = here & (trust > 0.5)
            # a pixel that is clipped is at least as bright as white
            bound = torch.where(trust > 0.5, torch.zeros_like(fit), _FULL / e.total[number])
            fit = fit.maximum(bound)
            excess = (radiance - fit).square() - variance - theirs
            error = _average(excess, valid.to(fit), WIDE).clamp(min=0)
            mine, other = trust / variance, 1 / (theirs + lever * error).clamp(min=_TINY)
            out = torch.where(here, (mine * radiance + other * fit) / (mine + other), out)
    return out


def _taps(deviation: float, *powers: int) -> list[tuple[float, ...]]:
    """A Gaussian whose peak is 1, times powers of the place."""
    reach = int(4 * deviation + 0.5)
    return [
        tuple(d**power * exp(-0.5 * (d / deviation) ** 2) for d in range(-reach, reach + 1))
        for power in powers
    ]


def _down(images: Tensor, taps: tuple[float, ...]) -> Tensor:
    """(H, W) correlated with a column, 0 outside."""
    reach = len(taps) // 2
    return slide(F.pad(images, (0, 0, reach, reach)), taps, -2)


def _along(images: Tensor, taps: tuple[float, ...]) -> Tensor:
    """(H, W) correlated with a row, 0 outside."""
    reach = len(taps) // 2
    return slide(F.pad(images, (reach, reach)), taps, -1)


def _average(values: Tensor, weight: Tensor, deviation: float) -> Tensor:
    """Weighted mean of a neighbourhood; 0 where nothing has weight."""
    (g,) = _taps(deviation, 0)
    weight = weight.to(values)
    return _along(_down(values * weight, g), g) / _along(_down(weight, g), g).clamp(min=_TINY)


def _plane(radiance: Tensor, certainty: Tensor, seen: Tensor, usual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(value at each pixel of the plane through its neighbours, variance, lever): within the range of those that are seen.

    lever      factor on variances where the plane is continued beside its neighbours, 1 in their middle
    certainty  1 / variance of the neighbours, 0 for pixels that are none;  usual  the value where there are none
    """
    g, gd, gdd = _taps(NEAR, 0, 1, 2)
    scale = certainty.max().clamp(min=_TINY)
    c = certainty / scale
    middle, sloped = _down(c, g), _down(c, gd)
    s0 = _along(middle, g)
    known = s0 > 1e-12
    low = s0.clamp(min=_TINY)
    x, y = _along(middle, gd) / low, _along(sloped, g) / low
    xx = _along(middle, gdd) / low - x * x + _RIDGE
    yy = _along(_down(c, gdd), g) / low - y * y + _RIDGE
    xy = _along(sloped, gd) / low - x * y
    middle, sloped = _down(c * radiance, g), _down(c * radiance, gd)
    mean = _along(middle, g) / low
    rx = _along(middle, gd) / low - x * mean
    ry = _along(sloped, g) / low - y * mean
    determinant = (xx * yy - xy * xy).clamp(min=_RIDGE**2)
    slope_x, slope_y = (rx * yy - ry * xy) / determinant, (ry * xx - rx * xy) / determinant
    value = mean - slope_x * x - slope_y * y
    far, reach = torch.finfo(radiance.dtype).max, len(g) // 2
    high = spread(radiance.masked_fill(~seen, -far)[None], reach)[0]
    least = -spread((-radiance).masked_fill(~seen, -far)[None], reach)[0]
    value = torch.where(high >= least, value.maximum(least).minimum(high), value)
    lever = 1 + ((x * x * yy - 2 * xy * x * y + y * y * xx) / determinant).clamp(min=0)
    variance = lever / (low * scale).clamp(min=_TINY)
    return (
        torch.where(known, value, usual),
        torch.where(known, variance, torch.full_like(variance, 1 / _TINY)),
        lever,
    )
