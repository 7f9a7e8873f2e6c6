"""Feature similarity of luma."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.similarity import features, small_yiq, weighted_mean


@metric(
    Card(
        title="Feature similarity of luma",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        codes=True,
        best=1.0,
        side=4,
        planes=10,
        source="Zhang, Zhang, Mou, Zhang, IEEE TIP 2011, doi:10.1109/TIP.2011.2109730",
    )
)
def fsim(ref: Tensor, dist: Tensor) -> Reading:
    """Phase congruency and gradient of luma compared, where phase congruency finds features.

    Luma is made of the three codes by YIQ (0.299, 0.587, 0.114), of PU code too, as the PU21 program does.
    map  the similarity, at about 256 pixels on the smaller side
    """
    (ref_y, _), (dist_y, _) = small_yiq(ref), small_yiq(dist)
    alike, weight = features(ref_y, dist_y)
    return Reading(weighted_mean(alike, weight), alike)
