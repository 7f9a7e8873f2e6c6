"""Merged sensor values to a picture: colours, white balance, BT.709, upright."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.io.raw import Sensor
from hdrq.ops.demosaic import malvar

_ROWS = 512  # developed at once
_MARGIN = 4  # rows beyond them that demosaicing looks at; even, for the pattern


def develop(radiance: Tensor, sensor: Sensor, most: float) -> Tensor:
    """(1, H, W) radiance at every site, or (3, H, W) in balanced camera colours, to (3, H, W) BT.709, not negative.

    most  what white in the shortest frame stands for: balanced colours are cut there, so that what is clipped in every
          frame is neutral

    Colours are interpolated between cube roots of balanced values: differences of light that filters meant for code see
    across an edge of a thousand to one would leave a zipper along it.
    """
    matrix = radiance.new_tensor(sensor.matrix)
    if sensor.pattern is None:
        for rows in radiance.split(_ROWS, 1):
            rows.copy_(torch.einsum("ij,jhw->ihw", matrix, rows).clamp_(min=0))
        return radiance
    h = radiance.shape[-2]
    factors = radiance.new_tensor(sensor.balance)[torch.tensor(sensor.pattern)]
    out = radiance.new_empty(3, *radiance.shape[1:])
    for top in range(0, h, _ROWS):
        first, last = max(0, top - _MARGIN), min(h, top + _ROWS + _MARGIN)
        sites = radiance[:, first:last].clone()
        for y in (0, 1):
            for x in (0, 1):
                sites[:, y::2, x::2] *= factors[y, x]
        roots = sites.clamp_(0, most).pow_(1 / 3)
        colours = malvar(roots[None], sensor.pattern)[0, :, top - first :][:, :_ROWS].pow(3)
        out[:, top : top + _ROWS] = torch.einsum("ij,jhw->ihw", matrix, colours).clamp(min=0)
    return torch.rot90(out, sensor.turns, (1, 2))


def develop_error(error: Tensor, sensor: Sensor) -> Tensor:
    """Standard errors in balanced camera colours, taken as independent, to those of BT.709, (3, H, W)."""
    squares = error.new_tensor(sensor.matrix).square()
    return torch.einsum("ij,jhw->ihw", squares, error.square()).sqrt()
