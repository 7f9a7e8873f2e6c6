from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import euclidean
from hdrq.scoring.features.color_spaces import lab, white_note
from hdrq.scoring.features.pixel_pooling import Pool, by_rows
from hdrq.scoring.features.pixel_pooling import pool as pooled


@metric(
    Card(
        title="CIE 1976 colour difference",
        unit="ΔE*ab",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("primaries",),
        planes=24,
        source="CIE 15:2018",
    )
)
def delta_e_76(
    ref: Tensor, dist: Tensor, *, white: float = 100.0, pool: Pool = "mean", primaries: Primaries = BT709
) -> Reading:
    """Euclidean distance of L*a*b* colours of absolute light; about 2.3 is just noticeable.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    white      luminance that has L* = 100, cd/m²; its colour is D65. Light above it has a larger L*
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    """
    a, b = lab(ref, primaries, white), lab(dist, primaries, white)
    errors = by_rows(euclidean, a, b)
    return Reading(pooled(errors, pool), errors, notes=(white_note(white),))
