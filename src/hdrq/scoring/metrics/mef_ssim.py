"""MEF-SSIM: structural similarity of a fused image to its exposures."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.filters import window
from hdrq.image.resize import shrink

# of the scales from the finest, those of MS-SSIM; they are divided by their sum
WEIGHTS = (
    0.0448,
    0.2856,
    0.3001,
)
# pixels
_PATCH = 8
# C = (K2 * range)²
_K2, _CODES = 0.03, 255.0
# largest exponent of a patch's contrast in its weight, where all exposures agree
_STEEPEST = 10.0
# codes; a patch of less deviation has no structure
_FLAT = 1e-6


@metric(
    Card(
        title="MEF-SSIM, structural similarity to an exposure stack",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        grey=True,
        codes=True,
        best=1.0,
        side=32,
        planes=180,
        stack=True,
        map="similarity",
        needs=("maps",),
        source="Ma, Zeng & Wang, IEEE TIP 2015, doi:10.1109/TIP.2015.2442920",
    )
)
def mef_ssim(ref: Tensor, dist: Tensor, *, scales: Literal[3, 1] = 3, maps: bool = False) -> Reading:
    """Contrast and structure of every 8x8 patch against the patch that the exposures promise together: the highest
    contrast among them, and their mean structure, in which patches of high contrast weigh more the more they agree.
    Luminance is left out, as in the paper. A scale whose mean is negative counts as 0.

    ref     (K, 1, H, W) the exposures of one scene, code 0..255
    dist    (N, 1, H, W) fused images of that scene
    scales  3: a weighted product of three scales, as the paper's experiments; 1: the finest scale
    """
    # variances of clipped exposures cancel in float32
    given, ref, dist = dist, ref.double(), dist.double()
    exponents = [w / sum(WEIGHTS[:scales]) for w in WEIGHTS[:scales]]
    value = torch.ones_like(dist[:, 0, 0, 0])
    finest: Tensor | None = None
    for scale, exponent in enumerate(exponents):
        if scale:
            ref, dist = (shrink(x, 2, mirror=True) for x in (ref, dist))
        similarity = _similarity(ref - _CODES / 2, dist - _CODES / 2)
        mean = similarity.mean((1, 2, 3))
        above = mean > 0
        value = value * torch.where(above, torch.where(above, mean, 1.0) ** exponent, 0.0)
        finest = similarity if finest is None else finest
    return Reading(value.to(given), finest.to(given) if maps and finest is not None else None)


def _similarity(stack: Tensor, fused: Tensor) -> Tensor:
    """(N, 1, h, w): 2 cov(wanted, fused) + C over their variances + C, of every patch."""
    means = _mean(stack)
    deviations = _variance(stack, means).sqrt()
    highest = deviations.amax(0, keepdim=True)
    # Consistency: 1 where the exposures have one structure, 0 where they have nothing in common.
    total = stack.sum(0, keepdim=True)
    agreement = _variance(total, _mean(total)).sqrt() / deviations.sum(0, keepdim=True).clamp(min=_FLAT)
    exponent = (agreement.clamp(0, 1) * (torch.pi / 2)).tan().clamp(0, _STEEPEST)
    weights = (deviations / highest.clamp(min=_FLAT)) ** exponent / deviations.clamp(min=_FLAT)
    # variance of the weighted sum of exposures
    power = torch.zeros_like(highest)
    for k in range(len(stack)):
        pairs = slice(k, None)
        shared = _mean(stack[k : k + 1] * stack[pairs]) - means[k : k + 1] * means[pairs]
        both = (weights[k : k + 1] * weights[pairs] * shared).sum(0, keepdim=True)
        own = weights[k : k + 1] ** 2 * shared[:1]
        power = power + 2 * both - own
    gain = highest / power.clamp(min=_FLAT**2).sqrt()
    mean = _mean(fused)
    shared = sum(
        (
            (weight * (_mean(exposure * fused) - level * mean))
            for weight, exposure, level in zip(weights, stack, means)
        ),
        torch.zeros_like(mean),
    )
    c = (_K2 * _CODES) ** 2
    found: Tensor = (2 * gain * shared + c) / (highest**2 + _variance(fused, mean) + c)
    return found


def _mean(x: Tensor) -> Tensor:
    return window(x, (1 / _PATCH,) * _PATCH)


def _variance(x: Tensor, mean: Tensor) -> Tensor:
    return (_mean(x * x) - mean * mean).clamp(min=0)
