"""Reinhard & Devlin 2005: photoreceptors that adapt to pixel, channel and frame."""

from __future__ import annotations

from typing import Literal

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
    ranked,
    ratio,
    stretched,
)
from hdrq.image.transfer import srgb_to_linear
from hdrq.tonemapping.operator import OperatorCard, operator

_WEIGHTS = {
    "paper": BT709_WEIGHTS,
    "hdrtoolbox": BT709_WEIGHTS,
    "pfstools": XYZ_WEIGHTS,
    "opencv": (0.299, 0.587, 0.114),
}


@operator(
    OperatorCard(
        title="Photoreceptor physiology",
        source="Reinhard & Devlin 2005, doi:10.1109/TVCG.2005.9; variants as HDR Toolbox 5375d05, pfstools 2.2, OpenCV 5.0",
        robust=False,
        tunes={"intensity": (-8, 8), "contrast": (0.2, 1), "chromatic": (0, 1), "adaptation": (0, 1)},
        colour=("chromatic",),
        limits={
            "contrast": (0, 5),
            "intensity": (-30, 30),
            "adaptation": (0, 1),
            "chromatic": (0, 1),
            "unit": (1e-12, 1e12),
        },
        needs={
            "gamma": ("variant", ("paper", "hdrtoolbox", "opencv")),
            "unit": ("variant", ("paper", "hdrtoolbox", "pfstools")),
        },
    )
)
def reinhard_devlin(
    light: Tensor,
    *,
    contrast: float | None = None,
    intensity: float = 0.0,
    adaptation: float = 1.0,
    chromatic: float = 0.0,
    normalise: bool = True,
    unit: float | None = None,
    gamma: float = 1.0,
    variant: Literal["paper", "hdrtoolbox", "pfstools", "opencv"] = "paper",
) -> Tensor:
    """C / (C + (exp(-intensity) I_a)^contrast), then stretched to 0..1.

    contrast    m; auto is 0.3 + 0.7 k^1.4, k the position of the mean within the range of ln L
    adaptation  1 adapts to the pixel, 0 to the frame
    chromatic   1 adapts every channel by itself, 0 by luminance
    unit        the value of the scene that the photoreceptors take for 1; auto is the brightest one (hdrtoolbox
                and pfstools: 1)
    gamma       opencv only
    variant     hdrtoolbox: ranks of 1 and 99 % in k, a geometric frame average, a stretch of luminance;
                pfstools: the result is code, shown by sRGB; opencv: min-max first, then the gamma
    """
    c = light
    if unit is not None:
        c = light / unit
    elif variant == "paper":
        c = ratio(light, brightest(light))
    if variant == "opencv":
        low = darkest(light)
        span = brightest(light) - low
        c = in_strips(lambda x: ratio(x - low, span), light)
    y = luminance(c, _WEIGHTS[variant])
    m = _contrast(y, variant) if contrast is None else contrast
    channels = c.mean((-2, -1), keepdim=True)
    frame = log_mean(y) if variant == "hdrtoolbox" else mean(y)
    whole = chromatic * channels + (1 - chromatic) * frame
    gain = (-parameter(intensity)).exp()

    def receptors(c: Tensor, y: Tensor) -> Tensor:
        # one channel where all adapt alike
        local = y if _is(chromatic, 0.0) else chromatic * c + (1 - chromatic) * y
        adapted = local if _is(adaptation, 1.0) else adaptation * local + (1 - adaptation) * whole
        return ratio(c, c + power((gain * adapted).clamp(min=1e-12), m))

    response = in_strips(receptors, c, y)
    if normalise:
        scale = luminance(response) if variant == "hdrtoolbox" else response
        low, high = (
            darkest(scale, name="darkest response"),
            brightest(scale, name="brightest response"),
        )
        response = in_strips(lambda x: stretched(x, low, high).clamp(0, 1), response)
    if variant == "pfstools":
        return srgb_to_linear(response)
    return power(response.clamp(min=1e-12), 1 / gamma) if gamma != 1 else response


def _is(option: float | Tensor, value: float) -> bool:
    """Whether an option has that value and needs no gradient."""
    return not isinstance(option, Tensor) and option == value


def _contrast(y: Tensor, variant: str) -> Tensor:
    if variant == "hdrtoolbox":
        low, high = (ranked(y, share).clamp(min=1e-12).log() for share in (0.01, 0.99))
        average = log_mean(y, name="mean for the contrast").log()
    else:
        x = y.clamp(min=1e-4 if variant == "opencv" else 1e-12).log()
        low, high = darkest(x, name="darkest logarithm"), brightest(x, name="brightest logarithm")
        average = mean(x, name="mean logarithm")
    k = ratio(high - average, high - low).clamp(0, 1)
    return 0.3 + 0.7 * k.clamp(min=1e-12) ** 1.4
