"""wPSNR of 10-bit 4:2:0 PQ code."""

from __future__ import annotations

from math import inf
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.caching import shared
from hdrq.image.color import convert, split_luma
from hdrq.image.transfer import pq_signal
from hdrq.records import BT709, BT2020, Primaries
from hdrq.scoring.features.pixel_errors import decibels

# of 10-bit code
PEAK = 255 << 2
# narrow range of 10-bit code
LUMA, CHROMA, OFFSET = 876, 896, 512
# codes that are not reserved
LOWEST, HIGHEST = 4, 1019


@metric(
    Card(
        title="wPSNR of 10-bit 4:2:0 PQ code",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="nits",
        needs=("primaries",),
        side=2,
        planes=24,
        trainable=False,
        source="JVET common test conditions for HDR; weights as in VTM and the EVC reference software",
    )
)
def wpsnr(
    ref: Tensor, dist: Tensor, *, channel: Literal["y", "cb", "cr"] = "y", primaries: Primaries = BT709
) -> Reading:
    """PSNR of luma codes whose squared errors count 2^(y/3), y = clip(0.015 Y' - 7.5, -3, 6), by the reference's luma Y'.

    Light becomes BT.2020, PQ R'G'B', Y'CbCr of 10 bits in narrow range, chroma the mean of 2x2 pixels with the weight of their
    first luma sample; an odd last row or column is left out. Peak 1020.

    ref, dist  (N, C, H, W), cd/m², in `primaries`
    channel    y, cb or cr
    extra      cb, cr
    Infinite for identical codes (VTM prints 100 dB). Rounding to codes is ignored in the gradient.
    """
    a, b = codes(ref, primaries), codes(dist, primaries)
    weight = 2 ** ((0.015 * a[0].detach() - 7.5).clamp(-3, 6) / 3)
    weights = (weight, weight[..., ::2, ::2], weight[..., ::2, ::2])
    y, cb, cr = (decibels((w * (p - q).square()).mean((1, 2, 3)), PEAK**2) for w, p, q in zip(weights, a, b))
    return Reading({"y": y, "cb": cb, "cr": cr}[channel], None, {"cb": cb, "cr": cr})


@shared
def codes(light: Tensor, primaries: Primaries) -> tuple[Tensor, Tensor, Tensor]:
    """10-bit codes Y' (N, 1, h, w), Cb and Cr (N, 1, h/2, w/2), whole numbers."""
    h, w = (n - n % 2 for n in light.shape[-2:])
    wide = convert(light[..., :h, :w].expand(-1, 3, -1, -1), primaries, BT2020)
    y, cb, cr = split_luma(pq_signal(wide))
    chroma = [_whole(CHROMA * F.avg_pool2d(c, 2) + OFFSET) for c in (cb, cr)]
    return _whole(LUMA * y + 64), chroma[0], chroma[1]


def _whole(x: Tensor) -> Tensor:
    """Rounded half up and clipped to the codes in use; the gradient ignores the rounding."""
    return (x + ((x.detach() + 0.5).floor() - x.detach())).clamp(LOWEST, HIGHEST)
