"""Huo 2013: inverse dodging and burning with a bilateral surround."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import brightest, luminance, mean, ratio
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Dodging and burning inspired inverse tone mapping",
        source="Huo, Yang & Brost 2013, Journal of Computational Information Systems 9(9)",
        reads="code",
        gives="nits",
        limits={"theta": (-10, 10), "epsilon": (1e-6, 1)},
        robust=False,
    )
)
def huo_2013(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    theta: float = 1.6,
    epsilon: float = 0.01,
    transfer: Transfer = "srgb",
) -> Tensor:
    """C 10^-theta L / (L̄ (1 - L + epsilon)) / B, B a bilateral mean (16 pixels, 3/255); the brightest becomes peak.

    epsilon  keeps white finite; the paper's programs use values down to 1e-5, with which a white pixel determines
    """
    light = linearise(code, transfer)
    y = luminance(light)
    around = bilateral_grid(y, 16.0, 3 / 255).clamp(min=1e-4)
    scene = light * 10**-theta * y / (mean(y).clamp(min=1e-6) * (1 - y + epsilon).clamp(min=epsilon)) / around
    return peak_nits * ratio(scene, brightest(luminance(scene)))
