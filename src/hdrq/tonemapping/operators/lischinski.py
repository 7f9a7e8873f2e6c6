"""Lischinski 2006, automatic: one exposure per zone of a stop, spread along the edges of the picture."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.statistics import darkest, log_mean, luminance
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.photographic import estimate_key
from hdrq.tonemapping.solvers.wls import smoothness, wls

_DELTA = 1e-6


@operator(
    OperatorCard(
        title="Interactive local adjustment of tonal values, automatic",
        source="Lischinski, Farbman, Uyttendaele & Szeliski 2006, doi:10.1145/1141911.1141936; constants and "
        "variant as HDR Toolbox 5375d05",
        tunes={"key": (0.01, 2), "smooth": (0.05, 2), "data": (0.005, 0.5)},
    )
)
def lischinski(
    light: Tensor,
    *,
    key: float | None = None,
    smooth: float = 0.4,
    power: float = 1.0,
    data: float = 0.07,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """C 2^F, F a map of stops that is smooth except across edges of log2 L.

    key     of the curve that exposes every zone; auto estimates it (Reinhard 2002, JGT)
    smooth  weight of smoothness, divided by |Δ log2 L|^power + 1e-4
    data    weight of the zones' own exposures
    variant hdrtoolbox: zones begin 1e-4 above the darkest pixel, and what lies below them is wanted as it is
    """
    y = luminance(light)
    x = (y + _DELTA).log2()
    scale = (estimate_key(y) if key is None else key) / log_mean(y)
    start = darkest(y).add(1e-4).log2() if variant == "hdrtoolbox" else darkest(x)
    wanted = torch.cat(
        [_zones(y[i : i + 1], (x - start)[i : i + 1], scale[i : i + 1]) for i in range(len(y))]
    )
    return light * 2 ** wls(wanted, data, *smoothness(x, smooth, power, 1e-4))


def _zones(y: Tensor, stops: Tensor, scale: Tensor) -> Tensor:
    """Stops that take each zone's upper quartile R to the photographic curve's value of it; none below zone 0."""
    zone = stops.detach().floor().long()
    wanted = torch.zeros_like(y)
    for v in zone[zone >= 0].unique():
        inside = zone == v
        own = y[inside]
        upper = own.kthvalue(max(1, int(own.numel() * 0.75 + 0.5))).values.clamp(min=_DELTA)
        wanted = torch.where(inside, (scale / (1 + scale * upper)).log2(), wanted)
    return wanted
