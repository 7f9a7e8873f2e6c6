"""Straight lines between the nodes of a table."""

from __future__ import annotations

import torch
from torch import Tensor


def lookup(values: Tensor, place: Tensor) -> Tensor:
    """values[place] for places between nodes; `values` (K,), `place` any shape, 0 .. K - 1 (held there)."""
    node = place.detach().floor().nan_to_num_(0).clamp_(0, len(values) - 2)
    index = node.to(torch.int32).flatten()
    start = values[:-1].index_select(0, index).reshape(place.shape)
    step = values.diff().index_select(0, index).reshape(place.shape)
    return start + step * (place.clamp(0, len(values) - 1) - node)
