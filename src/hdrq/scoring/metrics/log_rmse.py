"""Root mean square error of the logarithm of light."""

from __future__ import annotations

from math import log
from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.arithmetic import root
from hdrq.scoring.features.pixel_errors import mean_square

FLOOR = 1e-5


@metric(
    Card(
        title="RMSE of log light",
        unit="log",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        planes=16,
        source="definition; as Banterle's HDR Toolbox 5375d05",
    )
)
def log_rmse(
    ref: Tensor, dist: Tensor, *, base: Literal["10", "2", "e"] = "10", floor: float = FLOOR
) -> Tensor:
    """Over all samples of all channels, in powers of `base` (2: photographic stops).

    floor  light below it, cd/m², counts as it
    """
    scale = {"10": log(10), "2": log(2), "e": 1.0}[base]
    return root(mean_square(*(torch.log(light.clamp(min=floor)) / scale for light in (ref, dist))))
