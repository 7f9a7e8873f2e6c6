"""The distance of two images by a network of weighted deep features (LPIPS and its kind), with its map."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading
from hdrq.nn.input_scaling import scaled_input


def deep_distance_card(title: str, source: str, net: str) -> Card:
    """The card of a metric that is this distance by a network."""
    return Card(
        title=title,
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="code",
        source=source,
        needs=("net", "maps"),
        side=32,
        planes=400,
        net=net,
    )


def deep_distance(ref: Tensor, dist: Tensor, net: Any, maps: bool) -> Reading:
    """Mean over space and sum over stages of what `net.maps` finds; with `maps` also their sum at the images' size."""
    a, b = (scaled_input(image.to(net.heads[0]), net) for image in (ref, dist))
    found = net.maps(a, b)
    value = torch.stack([m.mean((1, 2, 3)) for m in found]).sum(0)
    if not maps:
        return Reading(value)
    size = ref.shape[-2:]
    return Reading(value, torch.stack([F.interpolate(m, size, mode="bilinear") for m in found]).sum(0))
