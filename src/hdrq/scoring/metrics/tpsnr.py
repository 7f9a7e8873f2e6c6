"""tPSNR: PSNR of light after a transfer function."""

from __future__ import annotations

from math import inf

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.hdrtools_light import Space, Transfer, planes
from hdrq.scoring.features.pixel_errors import decibels

_NAMES = {"xyz": "xyz", "rgb": "rgb", "ycbcr": ("y", "cb", "cr"), "yuv": ("y", "u", "v")}


@metric(
    Card(
        title="tPSNR: PSNR of light after a transfer function",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="nits",
        needs=("primaries",),
        planes=40,
        source="HDRTools (JCT-VC and MPEG), transfer function PSNR; numbers as version 0.16+, c6670c1",
    )
)
def tpsnr(
    ref: Tensor,
    dist: Tensor,
    *,
    transfer: Transfer = "pq+philips",
    space: Space = "xyz",
    peak: float = 10000.0,
    primaries: Primaries = BT709,
) -> Reading:
    """-10 log10 of the mean squared difference of three planes 0..1; tPSNR-XYZ of the MPEG HDR test conditions by default.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; those other than BT.709, P3 and BT.2020 go to BT.2020 first
    transfer   pq+philips: the mean of PQ and Philips' curve, as the test conditions have it; pq; cube-root; pq-toe: PQ with a
               linear foot below 1 cd/m²; none: light itself; pq-709, pq-gamma: PQ above 100 cd/m², a camera's curve or a power
               below (these are 0, 1, 2, 3, 4, 5, 6 of HDRTools' TFPSNRDistortion)
    space      xyz, rgb, ycbcr (negative colour differences count as 0, as in HDRTools) or yuv (coded Y with u', v')
    peak       light that is 1.0, cd/m² (HDRTools' MaxSampleValue); light above it counts as it
    extra      the PSNR of each plane
    HDRTools reads its curves from a table (1e-7 dB away) and prints 0 dB for identical images, where this is infinite.
    """
    a, b = (planes(light, primaries, transfer, space, peak) for light in (ref, dist))
    errors = (a - b).square().mean((2, 3))
    each = decibels(errors)
    names = _NAMES[space]
    return Reading(decibels(errors.mean(1)), None, {n: each[:, k] for k, n in enumerate(names)})
