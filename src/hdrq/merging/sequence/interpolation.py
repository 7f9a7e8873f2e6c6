"""Radiance at every pixel of a mosaic whose pixels have different exposures.

Source: Nayar & Mitsunaga, CVPR 2000, doi:10.1109/CVPR.2000.855857, who normalise each pixel by its exposure, discard those
that are clipped, and interpolate the missing. They leave open how; here it is done separately for every colour:
neighbours of other exposures are weighted by their noise and fitted by a plane (normalised convolution, Knutsson & Westin,
CVPR 1993), and a pixel's own value is averaged with the fit by their variances. That of the fit includes its mean squared
difference from valid pixels nearby, so that detail is kept where it is well measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

NEAR, WIDE = 1.2, 2.5  # standard deviations, in pixels, of the fit, and of averages over a neighbourhood
_FULL, _NONE = 0.9, 0.98  # shares of white from which on a value is trusted less, and not at all
_RIDGE = 1e-4  # added to the spread of the pixels of a fit, in squared pixels
_ROWS, _MARGIN = 512, 24  # computed at once, and read beside them
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
            fit, spread = _plane(radiance, others * trust / variance, others & (trust > 0.5), usual)
            valid = here & (trust > 0.5)
            # a pixel that is clipped is at least as bright as white
            bound = torch.where(trust > 0.5, torch.zeros_like(fit), _FULL / e.total[number])
            fit = fit.maximum(bound)
            excess = (radiance - fit).square() - variance - spread
            error = _average(excess, valid.to(fit), WIDE).clamp(min=0)
            mine, theirs = trust / variance, 1 / (spread + error).clamp(min=_TINY)
            out = torch.where(here, (mine * radiance + theirs * fit) / (mine + theirs), out)
    return out


def _kernel(deviation: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Places and values of a Gaussian whose peak is 1."""
    reach = int(4 * deviation + 0.5)
    at = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
    return at, torch.exp(-0.5 * (at / deviation).square())


def _filtered(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """(H, W) correlated with a separable kernel, 0 outside."""
    x = images[None, None]
    x = F.conv2d(x, down[None, None, :, None], padding=(len(down) // 2, 0))
    return F.conv2d(x, right[None, None, None], padding=(0, len(right) // 2))[0, 0]


def _average(values: Tensor, weight: Tensor, deviation: float) -> Tensor:
    """Weighted mean of a neighbourhood; 0 where nothing has weight."""
    _, g = _kernel(deviation, values)
    weight = weight.to(values)
    return _filtered(values * weight, g, g) / _filtered(weight, g, g).clamp(min=_TINY)


def _plane(radiance: Tensor, certainty: Tensor, seen: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
    """(value at each pixel of the plane through its neighbours, variance): within the range of those that are seen.

    certainty  1 / variance of the neighbours, 0 for pixels that are none;  usual  the value where there are none
    """
    at, g = _kernel(NEAR, radiance)
    gx, gxx = at * g, at * at * g
    scale = certainty.max().clamp(min=_TINY)
    c = certainty / scale
    s0 = _filtered(c, g, g)
    known = s0 > 1e-12
    low = s0.clamp(min=_TINY)
    x, y = _filtered(c, g, gx) / low, _filtered(c, gx, g) / low
    xx = _filtered(c, g, gxx) / low - x * x + _RIDGE
    yy = _filtered(c, gxx, g) / low - y * y + _RIDGE
    xy = _filtered(c, gx, gx) / low - x * y
    r = c * radiance
    mean = _filtered(r, g, g) / low
    rx = _filtered(r, g, gx) / low - x * mean
    ry = _filtered(r, gx, g) / low - y * mean
    determinant = (xx * yy - xy * xy).clamp(min=_RIDGE**2)
    slope_x, slope_y = (rx * yy - ry * xy) / determinant, (ry * xx - rx * xy) / determinant
    value = mean - slope_x * x - slope_y * y
    far, reach = torch.finfo(radiance.dtype).max, len(at) // 2
    high = F.max_pool2d(radiance.masked_fill(~seen, -far)[None], 2 * reach + 1, 1, reach)[0]
    least = -F.max_pool2d((-radiance).masked_fill(~seen, -far)[None], 2 * reach + 1, 1, reach)[0]
    ranged = high >= least
    value = torch.where(ranged, value.maximum(least).minimum(high), value)
    spread = 1 / (low * scale).clamp(min=_TINY)
    return torch.where(known, value, usual), torch.where(known, spread, torch.full_like(spread, 1 / _TINY))
