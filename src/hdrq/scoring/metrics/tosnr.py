"""tOSNR-XYZ: overall signal-to-noise ratio of light after a transfer function."""

from __future__ import annotations

from math import inf

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import euclidean
from hdrq.scoring.features.hdrtools_light import Transfer, planes
from hdrq.scoring.features.pixel_errors import decibels


@metric(
    Card(
        title="tOSNR-XYZ: overall signal-to-noise ratio of light after a transfer function",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="nits",
        needs=("primaries",),
        planes=40,
        map="difference",
        source="HDRTools (JCT-VC and MPEG), transfer function PSNR; numbers as version 0.16+, c6670c1",
    )
)
def tosnr(
    ref: Tensor,
    dist: Tensor,
    *,
    transfer: Transfer = "pq+philips",
    peak: float = 10000.0,
    primaries: Primaries = BT709,
) -> Reading:
    """-20 log10 of the mean distance of coded X, Y, Z, 0..1.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; those other than BT.709, P3 and BT.2020 go to BT.2020 first
    transfer   as in tpsnr, which shares the planes
    peak       light that is 1.0, cd/m²; light above it counts as it
    map        the distance of every pixel
    HDRTools prints 0 dB for identical images, where this is infinite.
    """
    errors = euclidean(*(planes(light, primaries, transfer, "xyz", peak) for light in (ref, dist)))
    return Reading(2 * decibels(errors.mean((1, 2, 3))), errors)
