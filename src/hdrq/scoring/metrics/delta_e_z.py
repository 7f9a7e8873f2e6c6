"""Jzazbz colour difference."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import card, euclidean, jzazbz, read
from hdrq.scoring.features.pixel_errors import Pool


@metric(
    card(
        title="Jzazbz colour difference",
        unit="ΔEz",
        source="Safdar, Cui, Kim, Luo 2017, doi:10.1364/OE.25.015131",
    )
)
def delta_e_z(ref: Tensor, dist: Tensor, *, pool: Pool = "mean", primaries: Primaries = BT709) -> Reading:
    """Euclidean distance of Jz, az, bz, a uniform space for light up to 10 000 cd/m²; no white is assumed.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    """
    return read(euclidean, jzazbz(ref, primaries), jzazbz(dist, primaries), pool)
