"""Landis 2002: the bright half is pulled up to the display's peak."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.statistics import brightest, luminance, ratio, relight
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Production-ready global illumination, expansion",
        source="Landis 2002, SIGGRAPH course notes 16",
        reads="code",
        gives="nits",
        robust=False,
    )
)
def landis(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    alpha: float = 2.0,
    threshold: float = 0.5,
    transfer: Transfer = "srgb",
) -> Tensor:
    """L (1 - w) + peak L w, w = ((L - threshold) / (L_max - threshold))^alpha above the threshold."""
    light = linearise(code, transfer)
    y = luminance(light)
    top = brightest(y)
    w = ratio((y - threshold).clamp(min=0), (top - threshold).clamp(min=1e-6)).clamp(0, 1) ** alpha
    return relight(light, y, y * (1 - w) + peak_nits * y * w)
