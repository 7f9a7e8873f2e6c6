"""Input of networks that merge three exposures: every frame as code and as light in the unit of one frame's white."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hdrq.nn.tiles import tiled

GAMMA = 2.2  # of the code that these networks were trained on


def code_and_light(frames: Tensor, seconds: Tensor, gamma: float = GAMMA) -> Tensor:
    """(1, K, 6, H, W): code of a gamma, and light over exposure, of light 0..1 over white (K, 3, H, W)."""
    clipped = frames.clamp(0, 1)
    return torch.cat([clipped ** (1 / gamma), clipped / seconds.to(frames).reshape(-1, 1, 1, 1)], 1)[None]


def merged(net: nn.Module, frames: Tensor, seconds: Tensor, reach: int) -> Tensor:
    """Radiance (3, H, W) of the middle frame's scene by a network of code and light; 1 is the white of the shortest frame.

    reach  pixels: farther ones do not influence a pixel
    """
    return tiled(net, code_and_light(frames, seconds), side=512, margin=reach)[0]


def code_and_aligned_code(frames: Tensor, seconds: Tensor, gamma: float) -> Tensor:
    """(1, K, 6, H, W): code, and code of the same light at the exposure of the middle frame, which may exceed 1."""
    clipped = frames.clamp(0, 1)
    ratio = (seconds[len(seconds) // 2] / seconds).to(frames).reshape(-1, 1, 1, 1)
    return torch.cat([clipped ** (1 / gamma), (clipped * ratio) ** (1 / gamma)], 1)[None]
