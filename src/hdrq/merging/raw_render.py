"""Conversion of merged sensor values to an image: demosaicing, white balance, BT.709, orientation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import pad
from hdrq.io.raw import Sensor

# Malvar, He & Cutler, ICASSP 2004, doi:10.1109/ICASSP.2004.1326587, figure 2; all divided by 8.
_GREEN = ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0))
_BESIDE = ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0))
_ACROSS = ((0, 0, -1.5, 0, 0), (0, 2, 0, 2, 0), (-1.5, 0, 6, 0, -1.5), (0, 2, 0, 2, 0), (0, 0, -1.5, 0, 0))

Pattern = tuple[tuple[int, int], tuple[int, int]]


def malvar(mosaic: Tensor, pattern: Pattern) -> Tensor:
    """(N, 1, H, W) linear values to (N, 3, H, W); H and W at least 4.

    pattern  channel (0 red, 1 green, 2 blue) of the four top left sites, row by row

    Departure from the paper: a colour is clipped to the range of the nearest samples of that colour, because beside a
    light source a thousand times brighter, the paper's correction would become negative and leave a ring.
    """
    if sorted(c for row in pattern for c in row) != [0, 1, 1, 2] or 1 not in (pattern[0][0], pattern[0][1]):
        raise ValueError(f"a Bayer pattern has one red, one blue and two diagonal green sites, not {pattern}")
    kernels = mosaic.new_tensor([_GREEN, _BESIDE, tuple(zip(*_BESIDE)), _ACROSS])[:, None] / 8
    green, beside, below, across = F.conv2d(pad(mosaic, 2, 2, 2, 2, "reflect"), kernels).split(1, 1)
    site = _sites(mosaic, pattern)
    row = torch.arange(mosaic.shape[-2], device=mosaic.device)[:, None] % 2
    out = []
    for colour in range(3):
        if colour == 1:
            value = green
        else:
            own_row = 0 if colour in pattern[0] else 1
            value = torch.where(site != 1, across, torch.where(row == own_row, beside, below))
        low, high = _between(mosaic, site == colour)
        value = torch.minimum(torch.maximum(value, low), high)
        out.append(torch.where(site == colour, mosaic, value))
    return torch.cat(out, 1)


def _sites(mosaic: Tensor, pattern: Pattern) -> Tensor:
    """Channel of every site, (H, W)."""
    h, w = mosaic.shape[-2:]
    tile = torch.tensor(pattern, device=mosaic.device)
    return tile.repeat((h + 1) // 2, (w + 1) // 2)[:h, :w]


def _between(mosaic: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum and maximum of a colour's samples within 3 x 3 sites."""
    far = torch.finfo(mosaic.dtype).max
    high = F.max_pool2d(mosaic.masked_fill(~there, -far), 3, 1, 1)
    low = -F.max_pool2d((-mosaic).masked_fill(~there, -far), 3, 1, 1)
    return low, high


# processed at once
_ROWS = 512
# additional rows that demosaicing reads; even, to keep the pattern
_MARGIN = 4


def develop(radiance: Tensor, sensor: Sensor, most: float) -> Tensor:
    """(1, H, W) radiance at every site, or (3, H, W) in balanced camera colours, to (3, H, W) BT.709, not negative.

    most  value of white in the shortest frame: balanced colours are clipped there, so that pixels clipped in every
          frame is neutral

    Colours are interpolated between cube roots of balanced values, because linear filters leave zipper artefacts along
    edges with a contrast of a thousand to one.
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
    """Standard errors in balanced camera colours, taken as independent, converted to BT.709, (3, H, W)."""
    squares = error.new_tensor(sensor.matrix).square()
    return torch.einsum("ij,jhw->ihw", squares, error.square()).sqrt()
