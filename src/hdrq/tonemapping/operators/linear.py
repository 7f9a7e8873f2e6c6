"""One gain for the whole image."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.statistics import (
    GREY,
    brightest,
    darkest,
    log_mean,
    luminance,
    mean,
    parameter,
    ranked,
    ratio,
    relight,
)
from hdrq.tonemapping.exposure import most_well_exposed, window_exposure
from hdrq.tonemapping.operator import OperatorCard, operator

Auto = Literal["grey", "mean", "well-exposed", "window", "over-exposed", "stretch", "full-stretch", "off"]


@operator(
    OperatorCard(
        title="Linear exposure",
        source="one gain; the automatic ones as the literature of auto-exposure has them",
        tunes={"ev": (-6, 6)},
        limits={"share": (0, 0.99)},
        needs={"share": ("auto", ("over-exposed",))},
    )
)
def linear(light: Tensor, *, ev: float = 0.0, auto: Auto = "grey", share: float = 0.05) -> Tensor:
    """The scene times a gain, clipped by the display.

    ev     stops on top of the automatic exposure
    auto   "grey": geometric mean luminance to 0.18; "mean": mean luminance to 0.25;
           "well-exposed": most pixels between 5 and 95 % of sRGB code;
           "window": the eight stops with the most pixels end at white;
           "over-exposed": `share` of all channels' codes, at gamma 2.2, above 0.95; "stretch": luminance between the 1 % and
           99.9 % ranks; "full-stretch": between darkest and brightest; "off": a value of 1 is white
    """
    y = luminance(light)
    if auto in ("stretch", "full-stretch"):
        robust = auto == "stretch"
        low, high = (ranked(y, 0.01), ranked(y, 0.999)) if robust else (darkest(y), brightest(y))
        new = ratio(y - low, high - low).clamp(min=0)
        light = relight(light, y, new.clamp(max=1) if robust else new)
    elif auto == "grey":
        light = light * ratio(parameter(GREY), log_mean(y))
    elif auto == "mean":
        light = light * ratio(parameter(0.25), mean(y))
    elif auto == "well-exposed":
        light = light * most_well_exposed(y)
    elif auto == "window":
        light = light * window_exposure(y)
    elif auto == "over-exposed":
        bright = ranked(light, 1 - share)
        light = light * ratio(parameter(0.95**2.2), bright)
    result: Tensor = light * 2.0**ev
    return result
