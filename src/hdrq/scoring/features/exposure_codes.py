"""Differences of 8-bit photographs at fifty exposures, counted as HDRTools' mPSNR counts them."""

from __future__ import annotations

from math import log2

import torch
from torch import Tensor

from hdrq.image.arithmetic import power
from hdrq.image.filters import strips

GAMMA = 2.2
STOPS = range(-34, 16)
BRIGHTEST = 65504.0  # the largest half float, at which light is clipped
_NEVER = 1e30


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
