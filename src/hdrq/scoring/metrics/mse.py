"""Mean squared error."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.scoring.features.pixel_errors import mean_square


@metric(
    Card(
        title="Mean squared error",
        unit="code²",
        better="lower",
        span=(0, None),
        reads="code",
        best=0.0,
        planes=10,
        source="definition",
    )
)
def mse(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean squared difference of code, all channels pooled."""
    return mean_square(ref, dist)
