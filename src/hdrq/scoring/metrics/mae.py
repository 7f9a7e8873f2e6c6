"""Mean absolute error."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.scoring.features.pixel_errors import mean_absolute


@metric(
    Card(
        title="Mean absolute error",
        unit="code",
        better="lower",
        span=(0, None),
        reads="code",
        best=0.0,
        planes=10,
        source="definition",
    )
)
def mae(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean absolute difference of code, all channels pooled."""
    return mean_absolute(ref, dist)
