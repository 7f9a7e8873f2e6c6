"""The distance of two images by a network of weighted deep features (LPIPS and its kind), with its map."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Reading
from hdrq.nn.input_scaling import enter


def deep_distance(ref: Tensor, dist: Tensor, net: Any, maps: bool) -> Reading:
    """Mean over space and sum over stages of what `net.maps` finds; with `maps` also their sum at the images' size."""
    a, b = (enter(image.to(net.heads[0]), net) for image in (ref, dist))
    found = net.maps(a, b)
    value = torch.stack([m.mean((1, 2, 3)) for m in found]).sum(0)
    if not maps:
        return Reading(value)
    size = ref.shape[-2:]
    return Reading(value, torch.stack([F.interpolate(m, size, mode="bilinear") for m in found]).sum(0))
