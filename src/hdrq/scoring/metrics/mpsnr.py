"""Multi-exposure PSNR: PSNR of the 8-bit photographs one could take of a scene, or as HDRTools counts it at fifty exposures."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import ceil, floor, inf, log2
from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import power
from hdrq.image.filters import strips
from hdrq.image.statistics import darkest_positive
from hdrq.scoring.features.pixel_errors import decibels

GAMMA = 2.2
# HDRTools' digits
_YCBCR = ((0.2126, 0.7152, 0.0722), (-0.1146, -0.3854, 0.5), (0.5, -0.4542, -0.0458))
# mean of a photograph that is neither black nor white
USEFUL = (0.1, 0.9)
STOPS = range(-34, 16)
# the largest half float, at which light is clipped
BRIGHTEST = 65504.0
_NEVER = 1e30


@metric(
    Card(
        title="Multi-exposure PSNR",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="nits",
        planes=26,
        source="Munkberg, Clarberg, Hasselgren, Akenine-Möller 2006, doi:10.1145/1141911.1141935",
    )
)
def mpsnr(
    ref: Tensor, dist: Tensor, *, variant: Literal["paper", "toolbox", "hdrtools"] = "paper"
) -> Reading:
    """PSNR, dB, of photographs round(255 min(2^e light, 1)^(1/2.2)) at all whole stops e that suit the reference.

    A stop suits if the mean of the reference's photograph lies between 0.1 and 0.9 (as HDR Toolbox chooses; the paper
    leaves the choice to the user); if none does, the one nearest to 0.5 is taken.
    variant  paper: squared errors averaged over the stops. toolbox: added up, as HDR Toolbox 5375d05 does; lower by
             10 log10 of the number of stops. hdrtools: as HDRTools 0.16+ (c6670c1): stops -34..15 of cd/m², pixels counted where
             the reference is neither black nor has a channel at 255; with none, light differs by 65504
    extra    first_stop, last_stop; for hdrtools y, cb, cr: the same of BT.709 luma and colour differences of the codes
    Infinite for identical photographs, with a gradient of zero. Rounding is ignored in the gradient.
    """
    if variant == "hdrtools":
        return _hdrtools(ref, dist)
    pairs = [_measure(a[None], b[None]) for a, b in zip(ref, dist)]
    stops = ref.new_tensor([(s[0], s[-1], len(s)) for _, s in pairs])
    error = torch.stack([e for e, _ in pairs])
    if variant == "paper":
        error = error / stops[:, 2]
    differs = error > 0
    decibels = -10 * torch.log10(torch.where(differs, error, 1.0))
    return Reading(
        torch.where(differs, decibels, inf), None, {"first_stop": stops[:, 0], "last_stop": stops[:, 1]}
    )


def _hdrtools(ref: Tensor, dist: Tensor) -> Reading:
    """Of squared code differences per counted pixel and exposure."""
    moments, count = difference_moments(ref.expand(-1, 3, -1, -1), dist.expand(-1, 3, -1, -1))
    counted = count > 0
    weights = moments.new_tensor(_YCBCR)
    sums = torch.cat(
        [moments.diagonal(dim1=1, dim2=2).sum(1, keepdim=True) / 3, _quadratic(moments, weights)], 1
    )
    error = torch.where(counted[:, None], sums / count.clamp(min=1)[:, None], BRIGHTEST**2)
    value, y, cb, cr = decibels(error, 255.0**2).to(ref.dtype).unbind(1)
    return Reading(value, None, {"y": y, "cb": cb, "cr": cr})


def _quadratic(moments: Tensor, weights: Tensor) -> Tensor:
    """Summed squares of weighted differences, (N, rows of weights), of their second moments."""
    return ((weights @ moments) * weights).sum(2)


def _measure(ref: Tensor, dist: Tensor) -> tuple[Tensor, range]:
    """(sum over stops of the mean squared error, the stops), of one pair."""
    stops, a, b = _stops(ref), _response(ref), _response(dist)
    return torch.stack([((_shot(a, e) - _shot(b, e)) ** 2).mean() for e in stops]).sum(), stops


def _stops(ref: Tensor) -> range:
    """The stops that suit, searched from the first that clips nothing to the first that clips all but black."""
    darkest, brightest = float(darkest_positive(ref)), max(float(ref.max()), 1e-30)
    candidates = range(-ceil(log2(brightest)), max(-floor(log2(darkest)), -ceil(log2(brightest))) + 1)
    response = _response(ref.detach())

    def mean(stop: int) -> float:
        return float(_shot(response, stop).double().mean())

    first, end = bisect_right(candidates, USEFUL[0], key=mean), bisect_left(candidates, USEFUL[1], key=mean)
    if first < end:
        return candidates[first:end]
    nearest = min(candidates, key=lambda e: abs(mean(e) - 0.5))
    return range(nearest, nearest + 1)


def _response(light: Tensor) -> Tensor:
    """What a camera makes of light at stop 0, unclipped: 1 at a light of 1."""
    return power(light, 1 / GAMMA)


def _shot(response: Tensor, stop: int) -> Tensor:
    """A photograph in 8 bits, as 0..1."""
    code = 255 * (response * 2 ** (stop / GAMMA)).clamp(max=1)
    return (code + ((code.detach() + 0.5).floor() - code.detach())) / 255


def difference_moments(ref: Tensor, dist: Tensor) -> tuple[Tensor, Tensor]:
    """Second moments of code differences, and how many pixels count: (N, 3, 3) and (N,), added up over exposures.

    ref, dist  (N, 3, H, W), cd/m². Code is round(255 (2^s light)^(1/2.2)), clipped to 0..255
    A pixel counts at an exposure where the reference's code is not black and none of its channels is 255. The gradient does not
    see the rounding.
    """
    found = [_of_one(a, b) for a, b in zip(ref, dist)]
    return torch.stack([m for m, _ in found]), torch.stack([n for _, n in found])


def _of_one(ref: Tensor, dist: Tensor) -> tuple[Tensor, Tensor]:
    moments, count = ref.new_zeros(3, 3, dtype=torch.float64), ref.new_zeros((), dtype=torch.float64)
    for rows in strips(ref.shape[-2], 8 * ref.shape[-1], ref):
        a, b = (power(x[:, rows].clamp(0, BRIGHTEST), 1 / GAMMA).flatten(1) for x in (ref, dist))
        for stop in _useful(a.detach()):
            scale = 255 * 2 ** (stop / GAMMA)
            code = _code(a * scale)
            largest = code.detach().amax(0)
            counts = (largest > 0) & (largest < 255)
            difference = torch.where(counts, code - _code(b * scale), 0.0)
            moments = moments + (difference @ difference.T).double()
            count = count + counts.sum()
    return moments, count


def _useful(response: Tensor) -> list[int]:
    """The exposures at which a pixel of the reference is not black or white."""
    largest = response.amax(0)
    bright, dark = float(largest.max()), float(largest.min())
    first = GAMMA * log2(0.5 / 255 / bright) if bright > 0 else _NEVER
    last = GAMMA * log2(254.5 / 255 / dark) if dark > 0 else _NEVER
    return [s for s in STOPS if first - 0.01 <= s <= last + 0.01]


def _code(x: Tensor) -> Tensor:
    """Whole codes 0..255, rounded half up; the gradient is that of x."""
    x = x.clamp(max=255)
    return x + ((x.detach() + 0.5).floor() - x.detach())
