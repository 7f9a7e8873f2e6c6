"""Functions shared by expanders: light of code, mask of clipped pixels, and light relative to white."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.transfer import srgb_to_linear

Transfer = Literal["srgb", "2.2", "2.4", "linear"]
# codes from which a pixel is taken as clipped
IMAGE_CLIP, VIDEO_CLIP = 254 / 255, 230 / 255


def linearise(code: Tensor, transfer: Transfer) -> Tensor:
    """Light 0..1 of code 0..1."""
    code = code.clamp(0, 1)
    if transfer == "srgb":
        return srgb_to_linear(code)
    return code if transfer == "linear" else code ** float(transfer)


def clipped(code: Tensor, threshold: float = IMAGE_CLIP) -> Tensor:
    """1 where any channel of the code is at or above the threshold, else 0; (N, 1, H, W)."""
    return (code.amax(1, keepdim=True) >= threshold).to(code.dtype)


def blend(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """a where share is 0, b where it is 1."""
    return torch.lerp(a, b, share)
