from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import euclidean
from hdrq.scoring.features.color_spaces import jzazbz
from hdrq.scoring.features.pixel_pooling import Pool, by_rows
from hdrq.scoring.features.pixel_pooling import pool as pooled


@metric(
    Card(
        title="Jzazbz colour difference",
        unit="ΔEz",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("primaries",),
        planes=24,
        source="Safdar, Cui, Kim, Luo 2017, doi:10.1364/OE.25.015131",
    )
)
def delta_e_z(ref: Tensor, dist: Tensor, *, pool: Pool = "mean", primaries: Primaries = BT709) -> Reading:
    """Euclidean distance of Jz, az, bz, a uniform space for light up to 10 000 cd/m²; no white is assumed.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    """
    a, b = jzazbz(ref, primaries), jzazbz(dist, primaries)
    errors = by_rows(euclidean, a, b)
    return Reading(pooled(errors, pool), errors)
