"""BT.2020 light and its luma and colour differences, for the conversions of BT.2446."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.ops.colour import convert, weigh
from hdrq.types import BT709, BT2020

WEIGHTS = (0.2627, 0.6780, 0.0593)  # BT.2020 luminance, four digits as the standard has them
_BLUE, _RED = 1.8814, 1.4746


def to_bt2020(light: Tensor) -> Tensor:
    """BT.709 light in BT.2020 primaries, (N, 3, H, W); one channel becomes three."""
    return convert(light, BT709, BT2020).clamp(min=0) if light.shape[1] == 3 else light.expand(-1, 3, -1, -1)


def from_bt2020(light: Tensor, channels: int) -> Tensor:
    """BT.2020 light in BT.709, not clipped; one channel again where the picture came with one."""
    return convert(light, BT2020, BT709) if channels == 3 else light[:, :1]


def split_luma(code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Y', C'B and C'R, (N, 1, H, W) each, of BT.2020 R'G'B'."""
    y = weigh(code, WEIGHTS)
    return y, (code[:, 2:] - y) / _BLUE, (code[:, :1] - y) / _RED


def join_luma(y: Tensor, cb: Tensor, cr: Tensor) -> Tensor:
    """BT.2020 R'G'B' of Y', C'B, C'R."""
    r, b = y + _RED * cr, y + _BLUE * cb
    g = (y - WEIGHTS[0] * r - WEIGHTS[2] * b) / WEIGHTS[1]
    return torch.cat([r, g, b], 1)
