"""Transfer functions of displays: sRGB and PQ, both directions, on tensors of any shape."""

from __future__ import annotations

import torch
from torch import Tensor


def srgb_to_linear(code: Tensor) -> Tensor:
    """sRGB code to linear light; code 1.0 is light 1.0. Source: IEC 61966-2-1."""
    high = ((code.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(code <= 0.04045, code / 12.92, high)


def linear_to_srgb(light: Tensor) -> Tensor:
    """Linear light to sRGB code; light 1.0 is code 1.0. Negative values follow the linear segment of the curve."""
    high = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, high)


# SMPTE ST 2084
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def nits_to_pq(nits: Tensor) -> Tensor:
    """cd/m², 0..10 000, to PQ code 0..1. Source: SMPTE ST 2084."""
    y = (nits.clamp(0, 10000) / 10000) ** PQ_M1
    return ((PQ_C1 + PQ_C2 * y) / (1 + PQ_C3 * y)) ** PQ_M2


def pq_to_nits(code: Tensor) -> Tensor:
    """PQ code 0..1 to cd/m². Source: SMPTE ST 2084."""
    p = code.clamp(0, 1) ** (1 / PQ_M2)
    return 10000 * ((p - PQ_C1).clamp(min=0) / (PQ_C2 - PQ_C3 * p)) ** (1 / PQ_M1)
