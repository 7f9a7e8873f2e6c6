"""Normalisation of network input: code scaled by the white of the training, then by mean and standard deviation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Convention = Literal["unit", "half", "imagenet", "lite", "bgr255", "pu08"]

# Mean and standard deviation per channel, for code whose white is 1.
CONVENTIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3),  # EfficientNet-Lite: (code of 0..255 - 127) / 128
    "bgr255": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),  # 0..255, channels in BGR order (OpenCV)
}

# PU-PieAPP's approximation of PU08 (gfxdisp/pu_pieapp d03dbe2): polynomials of log10 luminance, highest
# power first. They are discontinuous where they meet (6.3 cd/m²), so the code cannot be decoded.
_PU08_DARK = (2.5577829, 17.73608751, 48.96952155, 45.55950728)
_PU08_BRIGHT = (
    -2.76770417e-3,
    5.45782779e-2,
    -1.31306184e-1,
    -4.05827702,
    37.4004810,
    28.4345651,
    51.5162034,
)
_PU08_CHANGE, _PU08_LOG_NITS, _PU08_CODES = 0.8, (-1.7647, 8.9979), (0.3176, 1270.1545)


def scaled_input(code: Tensor, net: nn.Module) -> Tensor:
    """Code (..., C, H, W) of one or three channels in the input range of `net`, (..., 3, H, W).

    net.span    (black, white): the codes that its training mapped to 0 and 1; (0, 1) by default
    net.intake  the normalisation of its authors' program; "pu08" reads light, cd/m²
    """
    if net.intake == "pu08":
        return pu08(code).expand(*code.shape[:-3], 3, *code.shape[-2:])
    black, white = getattr(net, "span", (0.0, 1.0))
    mean, std = CONVENTIONS[str(net.intake)]
    scale = [1 / (s * (white - black)) for s in std]
    shift = [-m / s - black * k for m, s, k in zip(mean, std, scale)]
    a, b = (torch.tensor(v, dtype=code.dtype, device=code.device).reshape(3, 1, 1) for v in (scale, shift))
    ready = torch.addcmul(b, code, a)
    return ready.flip(-3) if net.intake == "bgr255" else ready


def pu08(nits: Tensor) -> Tensor:
    """PU08 code of light, cd/m², as used by PU-PieAPP: 0 at 0.017 and 1 at 1e9; 100 cd/m² gives 0.177."""
    decades = nits.clamp(min=1e-8).log10().clamp(*_PU08_LOG_NITS)
    code = torch.where(decades < _PU08_CHANGE, _horner(decades, _PU08_DARK), _horner(decades, _PU08_BRIGHT))
    low, high = _PU08_CODES
    return (code - low) / (high - low)


def _horner(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    y = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        y = y * x + c
    return y
