"""Similarity of non-negative feature maps, and the features that FSIM and FSIMc share."""

from __future__ import annotations

from math import cos, pi

import torch
from torch import Tensor

from hdrq.image.caching import shared
from hdrq.image.color import yiq
from hdrq.image.filters import SCHARR, gradient
from hdrq.image.resize import factor, shrink
from hdrq.scoring.features.phase import phase_congruency


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
