"""Automatic exposure: the gain under which most of a scene is neither crushed nor clipped."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.ops.scene import log_mean
from hdrq.ops.transfer import srgb_to_linear

_STEPS = 8  # candidate exposures in a stop


def most_well_exposed(luminance: Tensor, low: float = 0.05, high: float = 0.95) -> Tensor:
    """The gain, (N, 1, 1, 1), that puts most pixels between two sRGB codes; the brightest gain among equals.

    Counted on a histogram of log2 luminance, eight bins a stop, so that a few pixels cannot decide.
    """
    dark, bright = (float(srgb_to_linear(torch.tensor(c, dtype=torch.float64)).log2()) for c in (low, high))
    width = round((bright - dark) * _STEPS)
    gains = []
    for y in luminance.detach():
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


def expose_grey(light: Tensor, luminance: Tensor, ev: float, auto: bool) -> Tensor:
    """Scene light whose middle grey is 0.18: the geometric mean is put there, and moved by `ev` stops.

    auto  False takes the light as exposed already
    """
    gain = 2.0**ev
    if auto:
        gain = gain * 0.18 / log_mean(luminance)
    return light * gain
