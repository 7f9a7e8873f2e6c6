"""ST-LPIPS: LPIPS that tolerates shifts of one pixel."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.scoring.features.network_scores import deep_distance, deep_distance_card


@metric(
    deep_distance_card(
        title="ST-LPIPS, shift-tolerant distance of deep features",
        source="doi:10.1007/978-3-031-19797-0_6",
        net="st-lpips",
    )
)
def st_lpips(ref: Tensor, dist: Tensor, *, net: Any, maps: bool = False) -> Reading:
    """Distance of unit-normalised features of an anti-aliased network. Map: the same before the mean over space."""
    return deep_distance(ref, dist, net, maps)
