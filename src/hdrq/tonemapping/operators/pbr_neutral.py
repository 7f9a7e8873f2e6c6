"""Khronos PBR Neutral: colours are unchanged until they approach white."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.statistics import luminance
from hdrq.tonemapping.exposure import gain_to_grey
from hdrq.tonemapping.operator import OperatorCard, operator

# what a dielectric adds at normal incidence, taken off again
_FRESNEL = 0.04


@operator(
    OperatorCard(
        title="Khronos PBR Neutral",
        source="Khronos Group 2024, PBR Neutral Tone Mapper specification",
        tunes={"ev": (-6, 6), "compress_from": (0.4, 0.95), "desaturation": (0, 1)},
        limits={"compress_from": (0.05, 0.99), "desaturation": (0, 10)},
    )
)
def pbr_neutral(
    light: Tensor,
    *,
    ev: float = 0.0,
    auto: bool = True,
    compress_from: float = 0.8,
    desaturation: float = 0.15,
) -> Tensor:
    """1:1 below `compress_from`, a hyperbola to 1 above it, highlights drawn to white.

    auto  puts the geometric mean luminance at 0.18 first; ev moves it
    """
    c = light * gain_to_grey(luminance(light), ev, auto)
    least = c.amin(1, keepdim=True)
    toe = least - least**2 / (4 * _FRESNEL)
    c = c - torch.where(least <= 2 * _FRESNEL, toe, _FRESNEL)
    peak = c.amax(1, keepdim=True)
    start = compress_from - _FRESNEL
    room = 1 - start
    high = peak.clamp(min=start)
    squeezed = 1 - room**2 / (high + room - start)
    share = 1 / (desaturation * (high - squeezed) + 1)
    bright = c * (squeezed / high) * share + squeezed * (1 - share)
    return torch.where(peak < start, c, bright)
