"""Optimal mean for photon noise."""

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
    """Terms of one frame. weight: 0 where the pixel is clipped, else 1 (the paper has no other weights)."""
    return Terms(weight * light, weight * seconds)
