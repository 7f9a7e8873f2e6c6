"""LPIPS, learned perceptual image patch similarity."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.scoring.features.network_scores import deep_distance, deep_distance_card


@metric(
    deep_distance_card(
        title="LPIPS, distance of deep features", source="doi:10.1109/CVPR.2018.00068", net="lpips"
    )
)
def lpips(ref: Tensor, dist: Tensor, *, net: Any, maps: bool = False) -> Reading:
    """Distance of unit-normalised features, mean over space and sum over stages. Map: the same before the mean."""
    return deep_distance(ref, dist, net, maps)
