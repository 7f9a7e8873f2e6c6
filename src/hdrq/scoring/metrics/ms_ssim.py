"""Multi-scale structural similarity."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.resize import shrink
from hdrq.scoring.features.similarity import gaussian_taps, structure

# table of the paper, sum 1
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@metric(
    Card(
        title="Multi-scale structural similarity",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        grey=True,
        best=1.0,
        side=176,
        planes=6,
        source="Wang, Simoncelli, Bovik, Asilomar 2003, doi:10.1109/ACSSC.2003.1292216",
    )
)
def ms_ssim(
    ref: Tensor, dist: Tensor, *, variant: Literal["wang", "mantiuk"] = "wang", range: float = 1.0
) -> Tensor:
    """Contrast-structure of four scales and SSIM of the fifth, weighted in a product.

    A scale whose mean is negative counts as 0, where the authors' program turns complex.

    variant  wang     the authors' msssim.m: odd sides are mirrored when halved
             mantiuk  Mantiuk's qm_msssim: odd sides are cropped, the fifth scale has no exponent
    range    dynamic range L of the code; 1.0 is a white (256 in PU21, 255 in sRGB)
    """
    taps = gaussian_taps()
    score = torch.ones_like(ref[:, 0, 0, 0])
    for scale, weight in enumerate(WEIGHTS):
        last = scale == len(WEIGHTS) - 1
        parts = structure(ref, dist, taps, range)
        sums = [(light * contrast if last else contrast).sum((-2, -1)) for light, contrast in parts]
        mean = torch.stack(sums).sum(0) / ((ref.shape[-2] - len(taps) + 1) * (ref.shape[-1] - len(taps) + 1))
        score = score * _power(mean, 1.0 if last and variant == "mantiuk" else weight).mean(1)
        if not last:
            ref, dist = (_halve(x, variant) for x in (ref, dist))
    return score


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent, 0 and without slope below 0."""
    above = x > 0
    return torch.where(above, torch.where(above, x, 1.0) ** exponent, 0.0)


def _halve(x: Tensor, variant: str) -> Tensor:
    """Means of 2x2 blocks."""
    h, w = x.shape[-2:]
    return shrink(x, 2, mirror=True) if variant == "wang" else shrink(x[..., : h // 2 * 2, : w // 2 * 2], 2)
