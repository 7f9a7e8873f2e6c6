"""LPIPS, learned perceptual image patch similarity."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.deep_distance import deep_distance


@metric(
    Card(
        title="LPIPS, distance of deep features",
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="code",
        source="doi:10.1109/CVPR.2018.00068",
        needs=("net", "maps"),
        side=32,
        planes=400,
        net="lpips",
    )
)
def lpips(ref: Tensor, dist: Tensor, *, net: Any, maps: bool = False) -> Reading:
    """Distance of unit-normalised features, mean over space and sum over stages. Map: the same before the mean."""
    return deep_distance(ref, dist, net, maps)
