"""Similarity of feature maps: luminance and structure through a window (SSIM), and the features that FSIM and FSIMc share.

Source of SSIM: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, doi:10.1109/TIP.2003.819861
"""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, exp, pi

import torch
from torch import Tensor

from hdrq.image.caching import cached, shared
from hdrq.image.color import yiq
from hdrq.image.filters import SCHARR, gradient, strips, window
from hdrq.image.resize import factor, shrink
from hdrq.scoring.features.phase import phase_congruency

K1, K2 = 0.01, 0.03
SIZE, SIGMA = 11, 1.5


def similarity(a: Tensor, b: Tensor, c: float) -> Tensor:
    """(2ab + c) / (a² + b² + c): exactly 1 where the features agree, since a² + b² is made as 2ab + (a - b)²."""
    product = a * b
    above = product.add_(product).add_(c)
    away = a - b
    return above / torch.addcmul(above, away, away)


def real_power(x: Tensor, exponent: float) -> Tensor:
    """Real part of x^exponent, as MATLAB takes powers of negative numbers; slope 0 at x = 0."""
    size = x.abs()
    size = torch.where(size > 0, size, 1.0) ** exponent
    return torch.where(x > 0, size, torch.where(x < 0, size * cos(pi * exponent), 0.0))


def weighted_mean(x: Tensor, weight: Tensor) -> Tensor:
    """Over everything but the batch, (N,). Where no pixel weighs anything, all weigh the same."""
    total = weight.flatten(1).sum(1)
    some = total > 0
    mean = (x * weight).flatten(1).sum(1) / torch.where(some, total, 1.0)
    return torch.where(some, mean, x.flatten(1).mean(1))


T_PHASE, T_GRADIENT = 0.85, 160.0


@shared
def small_yiq(code: Tensor) -> tuple[Tensor, Tensor]:
    """Y (N, 1, h, w) and IQ (N, 2, h, w), the smaller side brought near 256 pixels."""
    y, iq = yiq(shrink(code, factor(*code.shape[-2:]))).split((1, 2), 1)
    return y.contiguous(), iq


@shared
def features(ref_y: Tensor, dist_y: Tensor) -> tuple[Tensor, Tensor]:
    """(similarity, weight), both (N, 1, h, w), of two small lumas on the 0..255 scale."""
    ref_pc, dist_pc = phase_congruency(torch.cat([ref_y, dist_y])).chunk(2)
    edges = similarity(gradient(ref_y, SCHARR), gradient(dist_y, SCHARR), T_GRADIENT)
    return similarity(ref_pc, dist_pc, T_PHASE) * edges, torch.maximum(ref_pc, dist_pc)


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
