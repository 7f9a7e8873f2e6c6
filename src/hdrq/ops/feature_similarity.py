"""What FSIM and FSIMc share: similarity of phase congruency and gradient, weighted by phase congruency.

Source: Zhang, Zhang, Mou, Zhang, IEEE TIP 2011, doi:10.1109/TIP.2011.2109730
"""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.ops.gradient import SCHARR, gradient
from hdrq.ops.phase_congruency import phase_congruency
from hdrq.ops.sharing import shared
from hdrq.ops.shrinking import factor, shrink
from hdrq.ops.similarity import similarity
from hdrq.ops.yiq import yiq

T_PHASE, T_GRADIENT = 0.85, 160.0


@shared
def small_yiq(code: Tensor) -> tuple[Tensor, Tensor]:
    """Y (N, 1, h, w) and IQ (N, 2, h, w), the smaller side brought near 256 pixels."""
    y, iq = yiq(shrink(code, factor(*code.shape[-2:]))).split((1, 2), 1)
    return y.contiguous(), iq


@shared
def features(ref_y: Tensor, dist_y: Tensor) -> tuple[Tensor, Tensor]:
    """(similarity, weight), both (N, 1, h, w), of two small lumas on the 0..255 scale."""
    ref_pc, dist_pc = phase_congruency(ref_y), phase_congruency(dist_y)
    edges = similarity(gradient(ref_y, SCHARR), gradient(dist_y, SCHARR), T_GRADIENT)
    return similarity(ref_pc, dist_pc, T_PHASE) * edges, torch.maximum(ref_pc, dist_pc)
