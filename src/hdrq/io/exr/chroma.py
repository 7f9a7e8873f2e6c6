"""Conversion of luminance and subsampled chroma (YC) to RGB.

Source: OpenEXR's ImfRgbaYca (BSD-3-Clause), which defines the seven coefficients of the half-band filter.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.color import rgb_to_xyz
from hdrq.records import Primaries

# Half of the symmetric interpolation filter, nearest sample first.
BETWEEN = (0.627123, -0.186077, 0.087929, -0.043159, 0.019597, -0.007540, 0.002128)


def upsample(plane: Tensor, height: int, width: int) -> Tensor:
    """(h, w) upsampled to (height, width); samples are on even rows and columns. Edges repeat."""
    if plane.shape[1] < width:
        plane = _double(plane, width)
    if plane.shape[0] < height:
        plane = _double(plane.T, height).T
    return plane


def _double(rows: Tensor, length: int) -> Tensor:
    """Columns upsampled by two by interpolation."""
    if -(-length // rows.shape[1]) != 2:  # other factors are legal but not seen in practice: repeat
        return rows.repeat_interleave(-(-length // rows.shape[1]), 1)[:, :length]
    reach = len(BETWEEN)
    taps = torch.tensor([*reversed(BETWEEN), *BETWEEN], dtype=rows.dtype)
    wide = F.pad(rows[:, None], (reach - 1, reach), mode="replicate")
    middle = F.conv1d(wide, taps.reshape(1, 1, -1))[:, 0]
    return torch.stack([rows, middle], 2).reshape(rows.shape[0], -1)[:, :length]


def rgb(y: Tensor, ry: Tensor, by: Tensor, primaries: Primaries) -> Tensor:
    """(3, H, W) of luminance, (R - Y)/Y and (B - Y)/Y at full size.

    OpenEXR's viewer also reduces isolated saturated pixels; here they are unchanged.
    """
    wr, wg, wb = rgb_to_xyz(primaries)[1].tolist()
    red, blue = (ry + 1) * y, (by + 1) * y
    green = (y - wr * red - wb * blue) / wg
    return torch.stack([red, green, blue])
