"""The numbers a network wants its pixels in: code, scaled to the white of its training, then normalised."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Convention = Literal["unit", "half", "imagenet", "bgr255"]

# Mean and standard deviation per channel, of code whose white is 1.
CONVENTIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "bgr255": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),  # 0..255, channels from blue to red (OpenCV)
}


def enter(code: Tensor, net: nn.Module) -> Tensor:
    """Code (..., C, H, W) of one or three channels as `net` wants it, (..., 3, H, W).

    net.span    (black, white): the code its training called 0 and 1; (0, 1) where nobody said otherwise
    net.intake  the convention its authors chose
    """
    black, white = getattr(net, "span", (0.0, 1.0))
    mean, std = CONVENTIONS[str(net.intake)]
    scale = [1 / (s * (white - black)) for s in std]
    shift = [-m / s - black * k for m, s, k in zip(mean, std, scale)]
    a, b = (torch.tensor(v, dtype=code.dtype, device=code.device).reshape(3, 1, 1) for v in (scale, shift))
    ready = torch.addcmul(b, code, a)
    return ready.flip(-3) if net.intake == "bgr255" else ready
