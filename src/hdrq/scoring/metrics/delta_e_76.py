"""CIE 1976 colour difference."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import card, euclidean, read_lab
from hdrq.scoring.features.pixel_errors import Pool


@metric(
    card(
        title="CIE 1976 colour difference",
        unit="ΔE*ab",
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
    return read_lab(euclidean, ref, dist, pool, primaries, white)
