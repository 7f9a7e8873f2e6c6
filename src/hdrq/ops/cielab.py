"""CIELAB of tristimulus values and back."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.ops.colour import rgb_to_xyz
from hdrq.types import BT709

_EDGE = 6 / 29
_WHITE = tuple(float(v) for v in rgb_to_xyz(BT709).sum(1))  # D65


def to_lab(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W), white D65 with Y = 1, to L* 0..100, a*, b*. Source: CIE 15:2018."""
    f = _squeeze(xyz / xyz.new_tensor(_WHITE).view(1, 3, 1, 1))
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def from_lab(lab: Tensor) -> Tensor:
    """The inverse of `to_lab`."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    linear = 3 * _EDGE**2 * (f - 4 / 29)
    return torch.where(f > _EDGE, f.clamp(min=_EDGE) ** 3, linear) * lab.new_tensor(_WHITE).view(1, 3, 1, 1)


def _squeeze(t: Tensor) -> Tensor:
    cube = t.clamp(min=_EDGE**3) ** (1 / 3)
    return torch.where(t > _EDGE**3, cube, t / (3 * _EDGE**2) + 4 / 29)
