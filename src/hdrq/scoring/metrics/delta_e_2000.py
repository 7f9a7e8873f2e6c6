from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import ciede2000
from hdrq.scoring.features.color_spaces import lab, white_note
from hdrq.scoring.features.pixel_pooling import Pool, by_rows
from hdrq.scoring.features.pixel_pooling import pool as pooled


@metric(
    Card(
        title="CIEDE2000 colour difference",
        unit="ΔE00",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("primaries",),
        planes=24,
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
    a, b = lab(ref, primaries, white), lab(dist, primaries, white)
    errors = by_rows(ciede2000, a, b)
    return Reading(pooled(errors, pool), errors, notes=(white_note(white),))
