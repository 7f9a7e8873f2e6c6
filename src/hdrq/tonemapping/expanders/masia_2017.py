"""Masia 2017: a gamma from a regression on statistics of the image."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import log_mean, luminance, mean, relight
from hdrq.tonemapping.expansion import IMAGE_CLIP, Transfer, clipped, linearise
from hdrq.tonemapping.exposure import relative_key
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Dynamic range expansion based on image statistics",
        source="Masia, Serrano & Gutierrez 2017, doi:10.1007/s11042-015-3036-0",
        reads="code",
        gives="nits",
    )
)
def masia_2017(
    code: Tensor, *, peak_nits: float = 5000.0, detail: bool = True, transfer: Transfer = "srgb"
) -> Tensor:
    """peak L^γ, γ = 2.4379 + 0.2319 ln L̄ - 1.1228 k + 0.0085 · (percent clipped), within 1..4.

    detail  apply gamma only to a bilateral base (sigma 32 pixels, 0.01) and add the unchanged detail
    """
    light = linearise(code, transfer)
    y = luminance(light)
    over = 100 * mean(clipped(code, IMAGE_CLIP))
    power = (2.4379 + 0.2319 * log_mean(y).log() - 1.1228 * relative_key(y) + 0.0085 * over).clamp(1, 4)
    base = bilateral_grid(y, 32.0, 0.01).clamp(min=1e-6) if detail else y.clamp(min=1e-9)
    return relight(light, base, peak_nits * base**power)
