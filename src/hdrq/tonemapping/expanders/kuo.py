"""Kuo 2012: inverse of Schlick's curve, with enhanced highlights."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import luminance, relight
from hdrq.tonemapping.expansion import IMAGE_CLIP, Transfer, clipped, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Content-adaptive inverse tone mapping",
        source="Kuo, Tang & Chien 2012, doi:10.1109/VCIP.2012.6410798",
        reads="code",
        gives="nits",
        limits={"p": (1, 1e6), "highlight": (0, 10)},
    )
)
def kuo(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    p: float = 30.0,
    highlight: float = 0.1,
    transfer: Transfer = "srgb",
) -> Tensor:
    """peak L / (p (1 - L) + L), plus `highlight` of the peak where clipped areas, held at edges, glow."""
    light = linearise(code, transfer)
    y = luminance(light)
    glow = bilateral_grid(clipped(code, IMAGE_CLIP), max(1.0, 0.02 * max(y.shape[-2:])), 0.1, guide=y).clamp(
        0, 1
    )
    return relight(light, y, peak_nits * (y / (p * (1 - y) + y) + highlight * glow * y) / (1 + highlight))
