"""Edge strength by the 3x3 operators of the gradient metrics; pixels outside the frame are 0."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from hdrq.ops.roots import root
from hdrq.ops.sliding import slide

PREWITT = (1 / 3, 1 / 3, 1 / 3)
SCHARR = (3 / 16, 10 / 16, 3 / 16)
_STEP = (1.0, 0.0, -1.0)


def gradient(x: Tensor, smooth: tuple[float, float, float]) -> Tensor:
    """Length of the gradient of every channel, code per two pixels, same shape; its slope where it is 0 is 0.

    smooth  weights across the direction of the derivative: PREWITT or SCHARR
    """
    x = F.pad(x, (1, 1, 1, 1))
    across = slide(slide(x, smooth, -2), _STEP, -1)
    down = slide(slide(x, _STEP, -2), smooth, -1)
    return root(across * across + down * down)
