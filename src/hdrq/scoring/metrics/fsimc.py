"""Feature similarity with chrominance."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.similarity import features, real_power, similarity, small_yiq, weighted_mean

T_CHROMA, LAMBDA = 200.0, 0.03


@metric(
    Card(
        title="Feature similarity with chrominance",
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
def fsimc(ref: Tensor, dist: Tensor) -> Reading:
    """FSIM times the similarity of I and Q to the power 0.03 at every pixel. On one channel it is FSIM.

    map  the similarity, at about 256 pixels on the smaller side
    """
    (ref_y, ref_iq), (dist_y, dist_iq) = small_yiq(ref), small_yiq(dist)
    alike, weight = features(ref_y, dist_y)
    chroma = similarity(ref_iq, dist_iq, T_CHROMA).prod(1, keepdim=True)
    alike = alike * real_power(chroma, LAMBDA)
    return Reading(weighted_mean(alike, weight), alike)
