"""Chiu 1993: a gain that varies slowly over the image."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.blur import blur
from hdrq.image.filters import filter2, pad
from hdrq.image.statistics import longer_side, luminance, ratio
from hdrq.tonemapping.operator import OperatorCard, operator

_SMOOTH = ((0.080, 0.113, 0.080), (0.113, 0.227, 0.113), (0.080, 0.113, 0.080))
_DARKEST = 1e-9


@operator(
    OperatorCard(
        title="Spatially nonuniform scaling",
        source="Chiu, Herf, Shirley, Swamy, Wang & Zimmerman 1993, Graphics Interface; variant as HDR Toolbox 5375d05",
        # glare spreads one bright pixel over 60 pixels around it
        robust=False,
        tunes={"k": (2, 30)},
        temporal=False,
        limits={
            "k": (0.1, 1000),
            "sigma": (0.1, 1000),
            "passes": (0, 10000),
            "glare": (0, 1),
            "glare_power": (0.1, 100),
            "glare_width": (3, 501),
        },
    )
)
def chiu(
    light: Tensor,
    *,
    k: float = 8.0,
    sigma: float | None = None,
    passes: int = 100,
    glare: float = 0.8,
    glare_power: float = 8.0,
    glare_width: int = 121,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """L_d = s L, s = 1 / (k blurred L), held below 1 / L and smoothed over and over.

    sigma    of the blur, pixels; auto is round(16 · longer side / 1024) + 1
    passes   of smoothing
    glare    share of light that stays where it is, the rest is scattered over glare_width pixels (an even number
             counts as the odd one below); 0 leaves glare out
    variant  paper: s is held below 1 / L before every pass, and glare adds no light; hdrtoolbox: held once,
             and the scattered light is added in full
    """
    y = luminance(light).clamp(min=_DARKEST)
    width = sigma if sigma is not None else round(16 * longer_side(y) / 1024) + 1
    ceiling = 1 / y
    gain = torch.minimum(1 / (k * blur(y, width)), ceiling)
    kernel = y.new_tensor(_SMOOTH)
    if variant == "paper":
        kernel = kernel / kernel.sum()
    for i in range(passes):
        if i and variant == "paper":
            gain = torch.minimum(gain, ceiling)
        gain = filter2(gain, kernel, "replicate")
    new = gain * y
    if glare:
        spread = 1.0 if variant == "hdrtoolbox" else 1 - glare
        new = glare * new + spread * _scatter(new, glare_width, glare_power)
    return light * ratio(new, y)


def _scatter(x: Tensor, width: int, power: float) -> Tensor:
    """(1 - r / R)^power around every pixel but itself, with sum 1."""
    reach = (width - 1) // 2
    r = torch.arange(-reach, reach + 1, dtype=torch.float64, device=x.device)
    distance = (r[:, None] ** 2 + r[None] ** 2).sqrt()
    kernel = (1 - distance / (reach + 1)).clamp(min=0) ** power
    kernel[reach, reach] = 0
    kernel = (kernel / kernel.sum()).to(x)
    wide = pad(x, reach, reach, reach, reach, "replicate")
    h, w = wide.shape[-2:]
    response = torch.fft.rfft2(F.pad(kernel, (0, w - len(kernel), 0, h - len(kernel))))
    full = torch.fft.irfft2(torch.fft.rfft2(wide) * response, s=(h, w))
    result: Tensor = full[..., 2 * reach :, 2 * reach :].clamp(min=0)
    return result
