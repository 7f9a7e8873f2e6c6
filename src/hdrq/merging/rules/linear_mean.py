"""Weighted mean of radiance."""

from __future__ import annotations

from torch import Tensor

from hdrq.merging.cards import RuleCard, Terms, entry


@entry(
    RuleCard(
        title="Weighted mean of radiance: Σ w f/t / Σ w",
        source="Mann & Picard 1995; Mitsunaga & Nayar, CVPR 1999, doi:10.1109/CVPR.1999.786966",
    )
)
def linear_mean(light: Tensor, weight: Tensor, seconds: float) -> Terms:
    """Terms of one frame. light: exposure of every pixel, any shape; weight: same shape; seconds: relative exposure."""
    return Terms(weight * light / seconds, weight)
