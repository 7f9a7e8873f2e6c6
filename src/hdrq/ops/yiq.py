"""YIQ of code, three digits as FSIM and HaarPSI have it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.ops.colour import mix

YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def yiq(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) code to Y, I, Q of the same scale. One channel is Y alone: its I and Q are 0."""
    if rgb.shape[-3] == 1:
        return torch.cat([rgb, torch.zeros_like(rgb).expand(-1, 2, -1, -1)], 1)
    return mix(rgb, YIQ)
