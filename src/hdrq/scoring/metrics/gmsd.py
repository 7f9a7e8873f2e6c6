"""Gradient magnitude similarity deviation."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import root
from hdrq.image.filters import PREWITT, gradient
from hdrq.image.resize import shrink
from hdrq.scoring.features.similarity import similarity

T = 170.0


@metric(
    Card(
        title="Gradient magnitude similarity deviation",
        unit="1",
        better="lower",
        span=(0, 1),
        reads="code",
        codes=True,
        grey=True,
        best=0.0,
        side=4,
        planes=6,
        source="Xue, Zhang, Mou, Bovik, IEEE TIP 2014, doi:10.1109/TIP.2013.2293423",
        map="similarity",
    )
)
def gmsd(ref: Tensor, dist: Tensor) -> Reading:
    """Spread (n - 1) of the local similarity of edges at half size; 0 when every edge survives.

    map  the similarity, half the size of the image
    """
    similarities = similarity(gradient(shrink(ref, 2), PREWITT), gradient(shrink(dist, 2), PREWITT), T)
    return Reading(root(similarities.flatten(1).var(1)), similarities)
