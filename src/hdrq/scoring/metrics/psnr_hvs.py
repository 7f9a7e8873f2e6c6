"""PSNR-HVS: PSNR of block cosines by contrast sensitivity."""

from __future__ import annotations

from math import inf

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.scoring.features.block_cosines import BLOCK, SENSITIVITY, blocks, transform
from hdrq.scoring.features.pixel_errors import decibels

WHITE = 255.0


@metric(
    Card(
        title="PSNR-HVS: PSNR of block cosines by contrast sensitivity",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="code",
        grey=True,
        codes=True,
        side=BLOCK,
        planes=12,
        source="Egiazarian, Astola, Ponomarenko, Lukin, Battisti, Carli, VPQM 2006",
    )
)
def psnr_hvs(ref: Tensor, dist: Tensor) -> Tensor:
    """PSNR, dB, of 8x8 cosine transforms whose differences are weighted by the contrast sensitivity of their frequency.

    ref, dist  (N, 1, H, W), codes 0..255; an incomplete block at the right or the bottom is left out
    returns    +inf for identical blocks (100000 in the authors' program)
    """
    difference = transform(blocks(ref)) - transform(blocks(dist))
    weights = difference.new_tensor(SENSITIVITY)
    return decibels((difference * weights).square().mean((1, 2, 3, 4)), WHITE**2)
