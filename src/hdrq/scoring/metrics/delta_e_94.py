from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import cie94
from hdrq.scoring.features.color_spaces import lab, white_note
from hdrq.scoring.features.pixel_pooling import Pool, by_rows
from hdrq.scoring.features.pixel_pooling import pool as pooled


@metric(
    Card(
        title="CIE 1994 colour difference, graphic arts",
        unit="ΔE*94",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("primaries",),
        planes=24,
        source="CIE 116-1995",
    )
)
def delta_e_94(
    ref: Tensor, dist: Tensor, *, white: float = 100.0, pool: Pool = "mean", primaries: Primaries = BT709
) -> Reading:
    """Distance of L*a*b* colours in which chroma and hue count less the more colourful the reference is.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    white      luminance that has L* = 100, cd/m²; its colour is D65. Light above it has a larger L*
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    Not symmetric: the chroma of `ref` sets the weights. kL = kC = kH = 1, K1 = 0.045, K2 = 0.015.
    """
    a, b = lab(ref, primaries, white), lab(dist, primaries, white)
    errors = by_rows(cie94, a, b)
    return Reading(pooled(errors, pool), errors, notes=(white_note(white),))
