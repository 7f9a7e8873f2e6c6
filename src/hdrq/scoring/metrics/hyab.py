"""HyAB colour difference."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import card, read_lab
from hdrq.scoring.features.color_difference import hyab as difference
from hdrq.scoring.features.pixel_errors import Pool


@metric(
    card(
        title="HyAB colour difference",
        unit="ΔE HyAB",
        source="Abasi, Amani Tehran, Fairchild 2020, doi:10.1002/col.22451",
    )
)
def hyab(
    ref: Tensor, dist: Tensor, *, white: float = 100.0, pool: Pool = "mean", primaries: Primaries = BT709
) -> Reading:
    """|dL*| + root(da*² + db*²): a distance for large differences, which Euclidean distance misjudges.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    white      luminance that has L* = 100, cd/m²; its colour is D65. Light above it has a larger L*
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    """
    return read_lab(difference, ref, dist, pool, primaries, white)
