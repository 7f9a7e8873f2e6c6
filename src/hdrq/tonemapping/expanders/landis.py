"""Landis 2002: the bright half is expanded to the display's peak."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.statistics import brightest, luminance, ratio, relight
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Production-ready global illumination, expansion",
        source="Landis 2002, SIGGRAPH course notes 16",
        reads="code",
        gives="nits",
        robust=False,
        limits={"alpha": (0.01, 100), "threshold": (0, 1), "sdr_nits": (1, 10000)},
        needs={"sdr_nits": ("variant", ("paper",))},
    )
)
def landis(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    alpha: float = 2.0,
    threshold: float = 0.5,
    sdr_nits: float = 100.0,
    transfer: Transfer = "srgb",
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """sdr L (1 - w) + peak L w, w = ((L - threshold) / (L_max - threshold))^alpha above the threshold, else 0.

    sdr_nits  white of the SDR display, for values below the threshold
    variant   hdrtoolbox keeps values below the threshold between 0 and 1
    """
    light = linearise(code, transfer)
    y = luminance(light)
    top = brightest(y)
    w = ratio((y - threshold).clamp(min=0), (top - threshold).clamp(min=1e-6)).clamp(0, 1) ** alpha
    white = 1.0 if variant == "hdrtoolbox" else sdr_nits
    return relight(light, y, white * y * (1 - w) + peak_nits * y * w)
