"""The 8x8 cosine transform of JPEG, and the weights that PSNR-HVS gives its coefficients."""

from __future__ import annotations

from math import cos, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached

BLOCK = 8

# Quantisation of luma, ITU-T T.81 table K.1.
_QUANTISERS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
# The papers print both tables in six digits; they are these functions of the quantisers.
SENSITIVITY = np.round(25.73509 / _QUANTISERS, 6)
MASKING = np.round((10 / _QUANTISERS) ** 2, 6)


def blocks(x: Tensor) -> Tensor:
    """(N, 1, H, W) to (N, rows, columns, 8, 8) from the top left; incomplete blocks are left out."""
    n, _, h, w = x.shape
    rows, columns = h // BLOCK, w // BLOCK
    whole = x[:, 0, : rows * BLOCK, : columns * BLOCK]
    return whole.reshape(n, rows, BLOCK, columns, BLOCK).transpose(2, 3)


def transform(x: Tensor) -> Tensor:
    """Orthonormal DCT-II of the last two dimensions, 8x8."""
    basis = _basis().to(x)
    return basis @ x @ basis.T


@cached(1)
def _basis() -> Tensor:
    rows = []
    for k in range(BLOCK):
        scale = sqrt((2 if k else 1) / BLOCK)
        rows.append([scale * cos(pi * k * (2 * i + 1) / (2 * BLOCK)) for i in range(BLOCK)])
    return torch.tensor(rows, dtype=torch.float64)
