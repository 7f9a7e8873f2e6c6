"""Box mean, then every f-th pixel: how classical metrics bring a picture to the size they were tuned for."""

from __future__ import annotations

from math import floor
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from hdrq.ops.windows import pad


def factor(height: int, width: int) -> int:
    """round(smaller side / 256), at least 1, halves up as MATLAB rounds."""
    return max(1, floor(min(height, width) / 256 + 0.5))


def shrink(x: Tensor, f: int, border: Literal["zero", "symmetric"] = "zero") -> Tensor:
    """(N, C, H, W) to (N, C, ceil(H / f), ceil(W / f)).

    Pixel i becomes the mean of i - (f - 1) // 2 .. i + f // 2, as conv2(..., 'same') and imfilter place the box.
    """
    if f == 1:
        return x
    h, w = x.shape[-2:]
    before = (f - 1) // 2
    below, right = (-(-n // f) * f - before - n for n in (h, w))
    x = pad(x[..., : h + min(below, 0), : w + min(right, 0)], before, max(below, 0), before, max(right, 0), border)
    return F.avg_pool2d(x, f)
