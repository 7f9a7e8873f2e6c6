"""Temporal regularisation without video: the output for a slightly moved image should be the moved output."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, radians, sin

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.training.images.loss import LossCard, loss

# pixels of the border that are not compared
_CUT = 4
# largest motion: pixels, degrees, share
_SHIFT, _TURN, _ZOOM = 2.0, 1.0, 0.03


@loss(
    LossCard(
        title="Transform invariance, for stability in time",
        source="Eilertsen, Mantiuk & Unger 2019, Single-frame regularization for temporally stable CNNs, "
        "doi:10.1109/CVPR.2019.01143, equation 7",
        needs=("transformed",),
        coded=False,
        side=lambda options: 2 * _CUT + 1,
    )
)
def temporal_stability(image: Tensor, transformed: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> Tensor:
    """mean (f(T x) - T f(x))² with one random T for the batch: a shift, a turn and a zoom of a frame's size.

    transformed  gives f(T x), see hdrq.training.images.image_recipe.ImageOutput
    """
    draw = (torch.rand(4, dtype=torch.float64) * 2 - 1).tolist()
    move = motion(*draw)
    inner = (..., slice(_CUT, -_CUT), slice(_CUT, -_CUT))
    return ((transformed(move) - move(image))[inner] ** 2).mean()


def motion(dy: float, dx: float, turn: float, zoom: float) -> Callable[[Tensor], Tensor]:
    """A function that moves (B, C, H, W); the arguments are shares -1..1 of the largest motion."""
    scale, angle = 1 + _ZOOM * zoom, radians(_TURN * turn)

    def moved(x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        c, s = scale * cos(angle), scale * sin(angle)
        rows = [[c, -s * h / w, 2 * _SHIFT * dx / w], [s * w / h, c, 2 * _SHIFT * dy / h]]
        theta = torch.tensor(rows, dtype=x.dtype, device=x.device).expand(len(x), 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)

    return moved
