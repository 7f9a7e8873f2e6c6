"""Mertens 2007 on exposures computed from one HDR image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.exposure_fusion import fuse
from hdrq.image.filters import pad
from hdrq.image.statistics import luminance
from hdrq.image.transfer import linear_to_srgb
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.operator import OperatorCard, operator

# of the median that smooths the zones
_SIDE = 5


@operator(
    OperatorCard(
        title="Exposure fusion from HDR",
        source="Mertens, Kautz & Van Reeth 2007, doi:10.1109/PG.2007.17; variant as HDR Toolbox 5375d05",
        gives="code",
        tunes={"contrast": (0, 2), "saturation": (0, 2), "exposedness": (0, 2)},
        limits={
            "contrast": (0, 10),
            "saturation": (0, 10),
            "exposedness": (0, 10),
            "step": (0.25, 20),
            "most": (2, 20),
        },
        needs={"step": ("variant", ("paper",)), "most": ("variant", ("paper",))},
    )
)
def mertens(
    light: Tensor,
    *,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposedness: float = 1.0,
    step: float = 2.0,
    most: int = 5,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """Fuse sRGB exposures that put the ranks from 1 to 99.5 % of luminance at middle grey, one every `step` stops.

    contrast, saturation, exposedness  exponents of the three weights
    most                               exposures at most
    variant                            hdrtoolbox: one exposure, of gamma 2.2, for every zone of luminance, whose mean
                                       becomes 0.5; and its pyramids (`step` and `most` do not count)
    """
    if variant == "hdrtoolbox":
        made = [_by_zones(frame[None], contrast, saturation, exposedness) for frame in light]
        return torch.cat(made)
    stack = [linear_to_srgb(exposed) for exposed in bracket(light, step, most)]
    return fuse(stack, contrast, saturation, exposedness).clamp(0, 1)


def _by_zones(light: Tensor, contrast: float, saturation: float, exposedness: float) -> Tensor:
    y = luminance(light)
    zone = _zones(y)
    stack = []
    for v in zone.unique():
        lit = (light * 0.5 / y[zone == v].mean().clamp(min=1e-9)).clamp(0, 1)
        stack.append(torch.where(lit > 0, lit.clamp(min=1e-12), 0) ** (1 / 2.2))
    return fuse(stack, contrast, saturation, exposedness, "toolbox")


def _zones(y: Tensor) -> Tensor:
    """Whole stops of log2, their median over 5 x 5 (0 outside), and pairs of stops where there are more than three."""
    stops = (y.detach() + 2.0**-20).log2().floor()
    wide = pad(stops, *(_SIDE // 2,) * 4, "zero")
    windows = wide.unfold(-2, _SIDE, 1).unfold(-2, _SIDE, 1).flatten(-2)
    stops = windows.median(-1).values
    if float(stops.max() - stops.min()) > 3:
        stops = stops.sign() * (stops.abs() / 2 + 0.5).floor()
    return stops
