"""Meylan 2006: one slope for diffuse luminance, a steeper one for highlights."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.statistics import luminance, quantile, relight
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="The reproduction of specular highlights on high dynamic range displays",
        source="Meylan, Daly & Süsstrunk 2006, Color Imaging Conference 14",
        reads="code",
        gives="nits",
        limits={"diffuse": (0.01, 0.99), "white": (0.05, 0.99)},
    )
)
def meylan(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    diffuse: float = 0.66,
    white: float | None = None,
    transfer: Transfer = "srgb",
) -> Tensor:
    """L below the diffuse white takes the share `diffuse` of the display's range, the rest is for highlights.

    white  the largest diffuse luminance, 0..1; auto is the 98 % quantile
    """
    light = linearise(code, transfer)
    y = luminance(light)
    edge = (quantile(y, 0.98) if white is None else torch.full_like(y[:1, :1, :1, :1], white)).clamp(
        0.05, 0.99
    )
    low = diffuse / edge * y
    high = diffuse + (1 - diffuse) / (1 - edge) * (y - edge)
    return relight(light, y, peak_nits * torch.where(y <= edge, low, high))
