"""Optimal mean for equal noise in every frame."""

from __future__ import annotations

from torch import Tensor

from hdrq.merging.cards import RuleCard, Terms, entry


@entry(
    RuleCard(
        title="Maximum likelihood for equal noise in all frames: Σ w f t / Σ w t²",
        source="Robertson, Borman & Stevenson, J. Electronic Imaging 12(2), 2003, doi:10.1117/1.1557695, eq. 9",
    )
)
def time_squared(light: Tensor, weight: Tensor, seconds: float) -> Terms:
    """Terms of one frame: longer exposures of the same light have more weight."""
    return Terms(weight * light * seconds, weight * seconds**2)
