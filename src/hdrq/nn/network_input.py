"""Input of networks: code scaled by the white of the training, then by mean and standard deviation; and that of the NoR-VDPNet
family, with its options.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.image.color import weigh
from hdrq.image.statistics import BT709_WEIGHTS, brightest, log_mean
from hdrq.records import Encoding

Convention = Literal["unit", "half", "imagenet", "lite", "bgr255", "pu08"]

# Mean and standard deviation per channel, for code whose white is 1.
CONVENTIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    # EfficientNet-Lite: (code of 0..255 - 127) / 128
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3),
    # 0..255, channels in BGR order (OpenCV)
    "bgr255": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
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
Curve = Literal["card", "tmo"]
Compat = Literal["card", "yes", "no"]


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


def as_authors(net: Any, compat: Compat) -> bool:
    """Whether to prepare images as the authors' program does: with "card", where the weights were imported."""
    if compat != "card":
        return compat == "yes"
    card = getattr(net, "checkpoint", None)
    return card is not None and card.recipe.startswith("imported")


def one_channel(code: Tensor, encoding: Encoding | None) -> Tensor:
    """Code of the luminance, where code is invertible to light; otherwise luma with BT.709 weights. (N, 1, H, W)"""
    if code.shape[1] == 1:
        return code
    if encoding is None or not encoding.absolute:
        return weigh(code, BT709_WEIGHTS)
    return encoding.encode(weigh(encoding.decode(code), BT709_WEIGHTS))


def adjusted(code: Tensor, encoding: Encoding | None, peak: float, curve: Curve) -> Tensor:
    """Code of the light scaled so that its maximum is `peak` cd/m² (0: unscaled), with another curve if requested.

    "tmo" is the tone curve y/(1 + y) of light over its geometric mean, as in the authors' programs.
    """
    if peak <= 0 and curve == "card":
        return code
    if encoding is None or not encoding.absolute:
        raise UsageError("peak and curve=tmo apply to light, but these weights read SDR code; leave them out")
    light = encoding.decode(code)
    if peak > 0:
        light = light * (peak / brightest(light).clamp(min=1e-12))
    if curve == "tmo":
        scaled = light / log_mean(light)
        return scaled / (1 + scaled)
    return encoding.encode(light)


def network_view(code: Tensor, net: Any, encoding: Encoding | None) -> Tensor:
    """Network input from code (N, C, H, W): normalised, and luminance only where the network has one channel."""
    if hasattr(net, "intake"):
        return scaled_input(code, net)
    return spanned(fitting(code, net, encoding), net)


def paired_view(code: Tensor, net: Any, encoding: Encoding | None) -> Tensor:
    """The same for one of two images that a network reads as stacked channels."""
    return spanned(fitting(code, net, encoding, images=2), net)


def spanned(code: Tensor, net: Any) -> Tensor:
    """Code with the black of training at 0 and its white at 1."""
    black, white = getattr(net, "span", (0.0, 1.0))
    return code if (black, white) == (0.0, 1.0) else (code - black) / (white - black)


def fitting(code: Tensor, net: Any, encoding: Encoding | None, images: int = 1) -> Tensor:
    """The channels that the network reads of each of its `images`: luminance for one, colour for three."""
    channels = int(net.channels) // images
    if channels == 1:
        return one_channel(code, encoding)
    if code.shape[1] != channels:
        raise UsageError("these weights read colour, but the image has one channel; convert it to colour")
    return code


def scrambled(x: Tensor, turned: bool) -> Tensor:
    """(N, 3, H, W) RGB as the authors' programs read it: BGR-interleaved rows, split into thirds that they call channels.

    turned  whether the shape is (3, W, H), as in DIQM, instead of (3, H, W), as in NoR-VDPNet
    """
    n, c, h, w = x.shape
    flat = x.flip(1).permute(0, 2, 3, 1)
    return flat.reshape(n, c, w, h) if turned else flat.reshape(n, c, h, w)


def rounded_luma(code: Tensor) -> Tensor:
    """Rec. 601 luma of 8-bit code as by Pillow's convert("L"), in fixed point; 0..1, (N, 1, H, W)."""
    if code.shape[1] == 1:
        return (code * 255).round() / 255
    r, g, b = (code * 255).round().to(torch.int64).split(1, 1)
    result: Tensor = ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16).to(code) / 255
    return result
