"""Kovaleski & Oliveira 2014: a brightness map from a cross-bilateral grid."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import luminance
from hdrq.tonemapping.expansion import IMAGE_CLIP, VIDEO_CLIP, Transfer, clipped, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="High-quality reverse tone mapping for a wide range of exposures",
        source="Kovaleski & Oliveira 2014, doi:10.1109/SIBGRAPI.2014.29",
        reads="code",
        gives="nits",
        limits={"sigma_space": (0.3, 1000), "sigma_range": (1e-3, 10)},
    )
)
def kovaleski_oliveira(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    black_nits: float = 0.1,
    sigma_space: float = 150.0,
    sigma_range: float = 25 / 255,
    video: bool = False,
    transfer: Transfer = "srgb",
) -> Tensor:
    """(black + (peak - black) C) (3 e + 1) / 4, e the clipped pixels filtered along the edges of luminance."""
    light = linearise(code, transfer)
    mask = clipped(code, VIDEO_CLIP if video else IMAGE_CLIP)
    glow = bilateral_grid(mask, sigma_space, sigma_range, guide=luminance(code)).clamp(0, 1)
    return (black_nits + (peak_nits - black_nits) * light) * (3 * glow + 1) / 4
