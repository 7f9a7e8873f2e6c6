"""What an adapted eye can tell apart: thresholds of cones and rods, and the light that rods see."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.color import mix, rgb_to_xyz
from hdrq.records import BT709

_DARK = 1e-8  # cd/m², well below the knee of either curve


def cone_threshold(nits: Tensor) -> Tensor:
    """Smallest visible step of light, cd/m², for cones adapted to `nits`. Source: Ferwerda et al. 1996."""
    t = nits.clamp(min=_DARK).log10()
    middle = (0.249 * t + 0.65).clamp(min=1e-6) ** 2.7 - 0.72
    return 10 ** torch.where(t <= -2.6, -0.72, torch.where(t >= 1.9, t - 1.255, middle))


def rod_threshold(nits: Tensor) -> Tensor:
    """Smallest visible step of light, cd/m², for rods adapted to `nits`. Source: Ferwerda et al. 1996."""
    t = nits.clamp(min=_DARK).log10()
    middle = (0.405 * t + 1.6).clamp(min=1e-6) ** 2.18 - 2.86
    return 10 ** torch.where(t <= -3.94, -2.86, torch.where(t >= -1.44, t - 0.395, middle))


def scotopic(light: Tensor) -> Tensor:
    """Light as rods weigh it, cd/m², from BT.709: Y (1.33 (1 + (Y + Z) / X) - 1.68).

    Source: Larson, Rushmeier & Piatko 1997, doi:10.1109/2945.646233
    """
    x, y, z = mix(light, rgb_to_xyz(BT709)).unbind(1)
    lit = x > 0
    seen = y * (1.33 * (1 + (y + z) / torch.where(lit, x, 1.0)) - 1.68)
    return torch.where(lit, seen.clamp(min=0), 0.0)[:, None]
