"""Drago 2003: logarithms whose base depends on the luminance."""

from __future__ import annotations

from math import log
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.arithmetic import in_strips, power
from hdrq.image.statistics import (
    BT709_WEIGHTS,
    XYZ_WEIGHTS,
    brightest,
    darkest,
    log_mean,
    luminance,
    mean,
    parameter,
    ratio,
    relight,
)
from hdrq.tonemapping.operator import OperatorCard, operator

# OpenCV's grey
_GREY = (0.299, 0.587, 0.114)


@operator(
    OperatorCard(
        title="Adaptive logarithmic mapping",
        source="Drago, Myszkowski, Annen & Chiba 2003, doi:10.1111/1467-8659.00689; "
        "variants as HDR Toolbox 5375d05, pfstools 2.2 and OpenCV 5.0",
        robust=False,
        tunes={"bias": (0.5, 0.98), "peak_nits": (20, 500)},
        limits={"bias": (0.01, 0.999)},
        needs={"saturation": ("variant", ("opencv",)), "peak_nits": ("variant", ("paper", "pfstools"))},
    )
)
def drago(
    light: Tensor,
    *,
    bias: float = 0.85,
    peak_nits: float = 100.0,
    gamma: float = 1.0,
    saturation: float = 1.0,
    variant: Literal["paper", "pfstools", "opencv"] = "paper",
) -> Tensor:
    """L_d = (peak/100) / log10(1 + L_max) · ln(1 + L) / ln(2 + 8 (L / L_max)^(ln bias / ln 0.5)).

    L is luminance over its geometric mean and (1 + bias - 0.85)^5. The brightest pixel sets the scale.
    gamma       1 leaves light; otherwise the paper's curve for a display of that gamma, slope 4.5 below 0.018
    saturation  exponent of C / L, opencv only
    variant     pfstools: no correction by the bias; opencv: min-max before and after, a plain gamma
    """
    if variant == "opencv":
        return _opencv(light, bias, gamma, saturation)
    pfs = variant == "pfstools"
    y = luminance(light, XYZ_WEIGHTS if pfs else BT709_WEIGHTS)
    average = log_mean(y, 1e-4) if pfs else log_mean(y) / (1 + bias - 0.85) ** 5
    scaled = y / average
    top = brightest(scaled)

    def shown(c: Tensor, y: Tensor, scaled: Tensor) -> Tensor:
        new = (peak_nits / 100) * ratio(_curve(scaled, top, bias), (1 + top).log10())
        linear = relight(c, y, new)
        if gamma == 1:
            return linear
        curved = 1.099 * power(linear.clamp(min=0.018), 0.9 / gamma) - 0.099
        return torch.where(linear <= 0.018, 4.5 * linear, curved).clamp(0, 1)

    return in_strips(shown, light, y, scaled)


def _curve(x: Tensor, top: Tensor, bias: float) -> Tensor:
    share = ratio(x, top).clamp(min=1e-12)
    return x.log1p() / (2 + 8 * power(share, parameter(bias).log() / log(0.5))).log()


def _opencv(light: Tensor, bias: float, gamma: float, saturation: float) -> Tensor:
    low = darkest(light)
    span = brightest(light) - low
    y = in_strips(lambda c: luminance(ratio(c - low, span), _GREY), light)
    scaled = y / mean(y.clamp(min=1e-4).log()).exp()
    top = brightest(scaled, name="brightest exposed")

    def curve(c: Tensor, y: Tensor, scaled: Tensor) -> Tensor:
        colour = ratio(ratio(c - low, span), y).clamp(min=1e-12)
        return power(colour, saturation) * _curve(scaled, top, bias)

    mapped = in_strips(curve, light, y, scaled)
    # Its darkest channel value is a rounding error below 0, and a fractional power of that drops out of its minimum.
    lowest = darkest(
        torch.where(light > low, mapped, torch.inf) if saturation != 1 else mapped, name="darkest result"
    )
    width = brightest(mapped, name="brightest result") - lowest
    return in_strips(lambda x: power(ratio(x - lowest, width), 1 / gamma), mapped)
