"""LPIPS, learned perceptual image patch similarity."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.nn.input_scaling import enter


@metric(
    Card(
        title="LPIPS, distance of deep features",
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="code",
        source="doi:10.1109/CVPR.2018.00068",
        needs=("net", "maps"),
        side=32,
        planes=400,
        net="lpips",
    )
)
def lpips(ref: Tensor, dist: Tensor, *, net: Any, maps: bool = False) -> Reading:
    """Distance of unit-normalised features, mean over space and sum over stages. Map: the same before the mean."""
    a, b = (enter(picture.to(net.heads[0]), net) for picture in (ref, dist))
    found = net.maps(a, b)
    value = torch.stack([m.mean((1, 2, 3)) for m in found]).sum(0)
    if not maps:
        return Reading(value)
    size = ref.shape[-2:]
    return Reading(value, torch.stack([F.interpolate(m, size, mode="bilinear") for m in found]).sum(0))
