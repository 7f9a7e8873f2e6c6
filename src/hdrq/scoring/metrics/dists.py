"""DISTS, deep image structure and texture similarity."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.nn.network_input import scaled_input


@metric(
    Card(
        title="DISTS, deep structure and texture",
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="code",
        source="doi:10.1109/TPAMI.2020.3045810",
        needs=("net",),
        side=32,
        planes=400,
        net="dists",
    )
)
def dists(ref: Tensor, dist: Tensor, *, net: Any, shrink: int = 0) -> Tensor:
    """Distance that forgives one texture for another of the same kind; 0 for identical images.

    shrink  bring the shorter side down to so many pixels first; the authors' script uses 256, 0 keeps the size
    """
    a, b = (scaled_input(image.to(net.alpha), net) for image in (ref, dist))
    h, w = a.shape[-2:]
    if shrink and min(h, w) > shrink:
        size = [round(n * shrink / min(h, w)) for n in (h, w)]
        a, b = (F.interpolate(x, size, mode="bilinear", antialias=True) for x in (a, b))
    result: Tensor = net(a, b)
    return result
