"""Luminance and contrast-structure similarity of two images through a window: what SSIM and MS-SSIM share.

Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, doi:10.1109/TIP.2003.819861
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp

import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.filters import strips, window

K1, K2 = 0.01, 0.03
SIZE, SIGMA = 11, 1.5


@cached(32)
def gaussian_taps(size: int = SIZE, sigma: float = SIGMA) -> tuple[float, ...]:
    """Sampled 1-D Gaussian with sum 1; its outer square is MATLAB's fspecial('gaussian')."""
    bell = [exp(-0.5 * ((i - (size - 1) / 2) / sigma) ** 2) for i in range(size)]
    return tuple(b / sum(bell) for b in bell)


def structure(
    ref: Tensor,
    dist: Tensor,
    taps: tuple[float, ...],
    span: float,
    unbiased: bool = False,
    middle: float | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """(luminance, contrast-structure) maps, a strip of rows at a time; only where the window fits.

    ref, dist  (N, C, H, W) code
    span       the dynamic range L in C1 = (K1 L)² and C2 = (K2 L)²
    unbiased   sample (co)variances, n - 1, for windows that weigh all their n pixels alike
    middle     value around which the pixels lie, default span / 2; float32 is more precise around it
    yields     two tensors (N, C, h, W - k + 1) whose product is SSIM
    """
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    more = len(taps) - 1
    middle = span / 2 if middle is None else middle
    gain = len(taps) ** 2 / (len(taps) ** 2 - 1) if unbiased else 1.0
    n, c, h, w = ref.shape
    for rows in strips(h - more, 4 * n * c * w, ref, more):
        x = ref[..., rows.start : rows.stop + more, :] - middle
        y = dist[..., rows.start : rows.stop + more, :] - middle
        mx, my, power, product = window(torch.stack((x, y, x * x + y * y, x * y)), taps).unbind()
        variances = (power - (mx * mx + my * my)) * gain + c2
        covariance = 2 * (product - mx * my) * gain + c2
        mx, my = mx + middle, my + middle
        means, powers = 2 * mx * my, mx * mx + my * my
        yield (means + c1) / (powers + c1), covariance / variances
