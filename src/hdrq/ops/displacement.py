"""Pictures moved by parts of a pixel; outside, the nearest pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def shift(x: Tensor, down: float, right: float) -> Tensor:
    """(N, C, H, W) moved by so many pixels, bilinearly."""
    h, w = x.shape[-2:]
    for dim, by, n in ((-2, down, h), (-1, right, w)):
        at = torch.arange(n, dtype=torch.float64, device=x.device) - by
        low = at.floor()
        share = (at - low).to(x).view(*((n, 1) if dim == -2 else (n,)))
        a, b = (x.index_select(dim, (low + k).clamp(0, n - 1).long()) for k in (0, 1))
        x = torch.lerp(a, b, share)
    return x


def displace(x: Tensor, field: Tensor) -> Tensor:
    """(N, C, H, W) read at every pixel plus a displacement (N, 2, H, W) of (x, y), pixels, bilinearly."""
    h, w = x.shape[-2:]
    y, z = torch.meshgrid(torch.arange(h).to(x), torch.arange(w).to(x), indexing="ij")
    grid = torch.stack([(2 * (z + field[:, 0]) + 1) / w - 1, (2 * (y + field[:, 1]) + 1) / h - 1], -1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
