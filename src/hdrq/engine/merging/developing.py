"""A merged mosaic to a picture: colours, white balance, BT.709, upright."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.io.mosaic import Mosaic
from hdrq.ops.demosaic import malvar

_ROWS = 512  # developed at once
_MARGIN = 4  # rows beyond them that demosaicing looks at; even, for the pattern


def develop(radiance: Tensor, mosaic: Mosaic, most: float) -> Tensor:
    """(1, H, W) radiance at every site to (3, H, W) linear BT.709, not negative.

    most  what white in the shortest frame stands for: balanced colours are cut there, so that what is clipped in every
          frame is neutral
    """
    h = radiance.shape[-2]
    factors = radiance.new_tensor(mosaic.balance)[None, :, None, None]
    matrix = radiance.new_tensor(mosaic.matrix)
    out = radiance.new_empty(3, *radiance.shape[1:])
    for top in range(0, h, _ROWS):
        first, last = max(0, top - _MARGIN), min(h, top + _ROWS + _MARGIN)
        seen = malvar(radiance[None, :, first:last], mosaic.pattern)[0, :, top - first :][:, :_ROWS]
        balanced = (seen * factors[0]).clamp(max=most)
        out[:, top : top + _ROWS] = torch.einsum("ij,jhw->ihw", matrix, balanced).clamp(min=0)
    return torch.rot90(out, mosaic.turns, (1, 2))
