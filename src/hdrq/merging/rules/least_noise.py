"""Optimal mean for photon noise and read noise together."""

from __future__ import annotations

from torch import Tensor

from hdrq.merging.cards import RuleCard, Terms, entry


@entry(
    RuleCard(
        title="Least variance for photon and read noise: Σ w f t/v / Σ w t²/v",
        source="Granados et al., CVPR 2010, doi:10.1109/CVPR.2010.5540208; Hanji et al. 2020",
        first_pass="photon-count",
    )
)
def least_noise(light: Tensor, weight: Tensor, seconds: float, variance: Tensor) -> Terms:
    """Terms of one frame. variance: of `light`, predicted from a first estimate instead of this noisy pixel."""
    trust = weight * seconds / variance
    return Terms(trust * light, trust * seconds)
