"""Input of the NoR-VDPNet family: from code to the values that the networks were trained on, and its options."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image.color import weigh
from hdrq.image.statistics import BT709_WEIGHTS, brightest, log_mean
from hdrq.nn.input_scaling import scaled_input
from hdrq.records import Encoding

Curve = Literal["card", "tmo"]
Compat = Literal["card", "yes", "no"]


def official(net: Any, compat: Compat) -> bool:
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
