"""Schlick 1994: uniform rational quantisation."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.statistics import brightest, darkest_positive, luminance, ratio, relight
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Uniform rational quantisation",
        source="Schlick 1994, Photorealistic Rendering Techniques, doi:10.1007/978-3-642-87825-1_1; "
        "numbers of HDR Toolbox 5375d05",
        robust=False,
        tunes={"p": (1.5, 1e4)},
        limits={"p": (1, 1e9), "k": (0, 1), "bits": (1, 16), "step": (1e-3, 1e3)},
        needs={
            "p": ("mode", ("manual",)),
            "k": ("mode", ("nonuniform",)),
            "bits": ("mode", ("automatic", "nonuniform")),
            "step": ("mode", ("automatic", "nonuniform")),
        },
    )
)
def schlick(
    light: Tensor,
    *,
    p: float = 200.0,
    mode: Literal["manual", "automatic", "nonuniform"] = "manual",
    k: float = 0.5,
    bits: int = 8,
    step: float = 1.0,
) -> Tensor:
    """L_d = p L / ((p - 1) L + L_max). The brightest (and, unless manual, the darkest) pixel sets the scale.

    mode  automatic: p = step · L_max / (2^bits L_min); nonuniform: p (1 - k + k L / sqrt(L_max L_min)) too
    step  the smallest visible difference, in the darkest pixel's terms
    """
    y = luminance(light)
    top, bottom = brightest(y), darkest_positive(y)
    steep: float | Tensor = p
    if mode != "manual":
        steep = step * top / (2**bits * bottom)
    middle = (top * bottom).sqrt()

    def shown(c: Tensor, y: Tensor) -> Tensor:
        slope = steep * (1 - k + k * ratio(y, middle)) if mode == "nonuniform" else steep
        return relight(c, y, ratio(slope * y, (slope - 1) * y + top))

    return in_strips(shown, light, y)
