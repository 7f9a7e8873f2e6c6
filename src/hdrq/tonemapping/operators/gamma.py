"""The power curve."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.arithmetic import in_strips, power
from hdrq.image.statistics import brightest, darkest, log_mean, luminance, ratio
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Gamma",
        source="Poynton, Digital Video and HD, 2nd ed. 2012, chapter 27; variant opencv: TonemapLinear of OpenCV 5.0",
        gives="code",
        tunes={"ev": (-6, 6), "gamma": (1, 4)},
        needs={"ev": ("variant", ("paper",))},
    )
)
def gamma(
    light: Tensor,
    *,
    gamma: float = 2.2,
    ev: float | None = None,
    variant: Literal["paper", "opencv"] = "paper",
) -> Tensor:
    """Code (2^ev C)^(1/gamma).

    ev       stops; auto puts the geometric mean luminance at 0.18
    variant  opencv stretches the channels' minimum and maximum to 0..1 first, and takes no ev
    """
    if variant == "opencv":
        low = darkest(light)
        span = brightest(light) - low
        return in_strips(lambda c: power(ratio(c - low, span), 1 / gamma), light)
    gain = 0.18 / log_mean(luminance(light)) if ev is None else 2.0**ev
    return in_strips(lambda c: power((c * gain).clamp(max=1), 1 / gamma), light)
