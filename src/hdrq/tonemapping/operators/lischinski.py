"""Lischinski 2006, automatic: one exposure per zone of a stop, propagated along the edges of the image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.arithmetic import in_order
from hdrq.image.statistics import darkest, log_mean, luminance, parameter
from hdrq.tonemapping.exposure import estimate_key
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.solvers.wls import smoothness, wls

# of the program, in the guide and in where its zones begin
_DELTA = 1e-4


@operator(
    OperatorCard(
        title="Interactive local adjustment of tonal values, automatic",
        source="Lischinski, Farbman, Uyttendaele & Szeliski 2006, doi:10.1145/1141911.1141936; constants and "
        "variant as HDR Toolbox 5375d05",
        tunes={"key": (0.01, 2), "smooth": (0.05, 2), "data": (0.005, 0.5)},
        limits={"smooth": (1e-4, 100), "power": (0.1, 4), "data": (1e-4, 100)},
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
    variant hdrtoolbox: edges are those of log2(L + 1e-4); zones begin 1e-4 above the darkest pixel, and what lies
            below them is wanted as it is
    """
    y = luminance(light)
    stops = y.clamp(min=1e-30).log2()
    scale = (estimate_key(y) if key is None else key) / log_mean(y)
    toolbox = variant == "hdrtoolbox"
    start = darkest(y).add(_DELTA).log2() if toolbox else darkest(stops)
    wanted = torch.cat(
        [_zones(y[i : i + 1], (stops - start)[i : i + 1], scale[i : i + 1]) for i in range(len(y))]
    )
    guide = (y + _DELTA).log2() if toolbox else stops
    return light * 2 ** wls(wanted, parameter(data), *smoothness(guide, smooth, power, 1e-4))


def _zones(y: Tensor, stops: Tensor, scale: Tensor) -> Tensor:
    """Stops by which each zone's upper quartile reaches the photographic curve's value of it; 0 below zone 0."""
    zone = stops.detach().floor().to(torch.int32).clamp(min=-1).flatten() + 1
    counts = torch.bincount(zone)
    ends = counts.cumsum(0)
    # luminance rises with the zones, so that those of a zone follow each other in order
    rank = ends - counts + (counts.double() * 0.75 + 0.5).long().clamp(min=1) - 1
    upper = in_order(y.flatten())[rank.clamp(max=y.numel() - 1)]
    wanted = (scale.flatten() / (1 + scale.flatten() * upper)).log2()
    return torch.cat([wanted.new_zeros(1), wanted[1:]]).index_select(0, zone).view_as(y)
