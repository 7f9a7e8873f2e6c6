"""CIEDE2000 colour difference."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import card, ciede2000, read_lab
from hdrq.scoring.features.pixel_errors import Pool


@metric(
    card(
        title="CIEDE2000 colour difference",
        unit="ΔE00",
        source="CIE 142-2001; Sharma, Wu, Dalal 2005, doi:10.1002/col.20070",
    )
)
def delta_e_2000(
    ref: Tensor, dist: Tensor, *, white: float = 100.0, pool: Pool = "mean", primaries: Primaries = BT709
) -> Reading:
    """CIEDE2000 of absolute light, kL = kC = kH = 1; about 1 is just noticeable on surfaces near the white.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    white      luminance that has L* = 100, cd/m²; its colour is D65. Light above it has a larger L*
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    """
    return read_lab(ciede2000, ref, dist, pool, primaries, white)
