"""Tumblin & Rushmeier 1993: brightness matching by the data of Stevens."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.statistics import log_mean, luminance, parameter, relight
from hdrq.tonemapping.adaptation import equal_brightness
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Tone reproduction for realistic images",
        source="Tumblin & Rushmeier 1993, doi:10.1109/38.252554, in the revised form of Tumblin, Hodgins & Guenter 1999, "
        "doi:10.1145/300776.300783",
        reads="nits",
        tunes={"display_nits": (1, 100), "contrast": (5, 1000)},
        limits={"display_nits": (0.1, 1e4), "contrast": (1, 1e6)},
    )
)
def tumblin_rushmeier(
    light: Tensor,
    *,
    display_nits: float = 20.0,
    peak_nits: float = 100.0,
    contrast: float = 100.0,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """L_d = m L_da (L / L_wa)^(γ_w / γ_d), m = contrast^((γ_wd - 1) / 2), γ by Stevens.

    display_nits  L_da, what the viewer of the display is adapted to
    contrast      of the display
    variant       hdrtoolbox takes a natural logarithm in γ_wd's divisor
    """
    y = luminance(light)
    new = equal_brightness(y, log_mean(y), parameter(display_nits), contrast, variant == "hdrtoolbox")
    return relight(light, y, new / peak_nits)
