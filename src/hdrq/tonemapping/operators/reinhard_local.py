"""Reinhard 2002, local: dodging and burning with the largest neighbourhood without strong edges."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.blur import pyramid_means, reinhard_profile
from hdrq.image.statistics import relight
from hdrq.tonemapping.exposure import Exposed, compress, expose
from hdrq.tonemapping.operator import OperatorCard, operator

_ALPHA = 1 / (2 * sqrt(2))
# of pfstools' sizes
_WIDEST = 43.0


@operator(
    OperatorCard(
        title="Photographic tone reproduction, dodging and burning",
        source="Reinhard, Stark, Shirley & Ferwerda 2002, doi:10.1145/566654.566575; "
        "variants as HDR Toolbox 5375d05 and pfstools 2.2",
        tunes={"key": (0.01, 2), "white": (0.5, 1000), "phi": (1, 15)},
        stepped=("phi",),
        limits={"phi": (-5, 30), "threshold": (0, 10), "scales": (2, 16), "ratio": (1.01, 4)},
        needs={
            "white": ("variant", ("paper", "hdrtoolbox")),
            "ratio": ("variant", ("paper", "hdrtoolbox")),
        },
    )
)
def reinhard_local(
    light: Tensor,
    *,
    key: float | None = 0.18,
    white: float | None = None,
    phi: float = 8.0,
    threshold: float = 0.05,
    scales: int = 8,
    ratio: float = 1.6,
    variant: Literal["paper", "hdrtoolbox", "pfstools"] = "paper",
) -> Tensor:
    """L (1 + L / white²) / (1 + V), V the mean over the widest neighbourhood without a strong edge.

    phi, threshold  sharpness, and the largest activity of an even neighbourhood
    scales, ratio   how many Gaussians, and their growth
    variant         hdrtoolbox: one scale's denominator for all, the surround instead of the centre, a frame
                    that repeats and even sides off by one pixel; key and white estimated where they are auto.
                    pfstools: levels of a pyramid for Gaussians, sizes from 1 to 43, and no white
    """
    exposed = expose(light, key, white, variant)
    if variant == "pfstools":
        return relight(light, exposed.luminance, _by_levels(exposed, phi, threshold, scales))
    quirks = variant == "hdrtoolbox"
    border = "circular" if quirks else "replicate"
    y, last = exposed.scaled, ratio**scales
    centre = reinhard_profile(y, 1.0, _ALPHA, border)
    around, even = centre, torch.ones_like(y, dtype=torch.bool)
    for i in range(scales):
        surround = reinhard_profile(y, ratio ** (i + 1), _ALPHA, border)
        size = last if quirks else ratio**i
        activity = (centre - surround) / (2**phi * exposed.key / size**2 + centre)
        even = even & (activity.abs() < threshold)
        around = torch.where(even, surround if quirks else centre, around)
        centre = surround
    return relight(light, exposed.luminance, compress(y, around, exposed.white))


def _by_levels(exposed: Exposed, phi: float, threshold: float, scales: int) -> Tensor:
    means = pyramid_means(exposed.scaled, scales - 1)
    around, even = means[0], torch.ones_like(means[0], dtype=torch.bool)
    for i, (centre, surround) in enumerate(pairwise(means)):
        size = _WIDEST ** (i / scales)
        activity = (centre - surround) / (2**phi * exposed.key / size**2 + centre)
        even = even & (activity.abs() <= threshold)
        around = torch.where(even, surround, around)
    return exposed.scaled / (1 + around)
