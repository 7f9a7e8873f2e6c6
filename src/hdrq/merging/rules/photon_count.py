"""The mean that is best for photon noise."""

from __future__ import annotations

from torch import Tensor

from hdrq.merging.cards import RuleCard, Terms, entry


@entry(
    RuleCard(
        title="Maximum likelihood for photon noise: Σ f / Σ t over unclipped frames",
        source="Hanji, Zhong & Mantiuk, ECCV Workshops 2020, doi:10.1007/978-3-030-67070-2_22",
    )
)
def photon_count(light: Tensor, weight: Tensor, seconds: float) -> Terms:
    """One frame's terms. weight: 0 where the pixel is clipped, 1 where it is not (the paper knows no others)."""
    return Terms(weight * light, weight * seconds)
