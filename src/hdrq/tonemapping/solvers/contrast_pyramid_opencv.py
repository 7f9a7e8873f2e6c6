"""Scaling of contrasts at all scales, and reconstruction: Mantiuk 2006 with the simplifications of OpenCV 5.0.

Its pyramid resizes by linear interpolation, so that its reduction is not the transpose of its expansion; all contrasts
have equal weight; and conjugate gradients start at the image itself and stop early, which affects the result.
"""

from __future__ import annotations

from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.tonemapping.solvers.contrast_pyramid import Field, differences
from hdrq.tonemapping.solvers.poisson import backward_difference

# of the response to a contrast
_POWER = 0.4185
_TOLERANCE, _PASSES = 1e-3, 100


def rescaled(x: Tensor, scale: float) -> Tensor:
    """ln luminance (N, 1, H, W) whose contrasts' responses are `scale` times those of x."""
    return torch.cat([_one(frame[None], scale) for frame in x])


def _one(x: Tensor, scale: float) -> Tensor:
    if min(x.shape[-2:]) < 2:
        return x
    # (scale |g|^power)^(1 / power)
    gain = scale ** (1 / _POWER)
    wanted = gain * _gather(_contrasts(x))
    r = wanted - _gather(_contrasts(x))
    p, rr = r, (r * r).sum()
    goal = float((wanted.detach() ** 2).sum()) * _TOLERANCE**2 + 1e-30
    for _ in range(_PASSES):
        if float(rr.detach()) < goal:
            break
        q = _gather(_contrasts(p))
        step = rr / (p * q).sum()
        x, r = x + step * p, r - step * q
        new = (r * r).sum()
        p, rr = r + (new / rr) * p, new
    return x


def _contrasts(x: Tensor) -> list[Field]:
    levels = []
    for _ in range(int(log2(min(x.shape[-2:])))):
        levels.append(differences(x))
        x = _resize(x, (x.shape[-2] // 2, x.shape[-1] // 2))
    return levels


def _gather(fields: list[Field]) -> Tensor:
    total = torch.zeros_like(fields[-1][0])
    for across, down in reversed(fields):
        total = (
            _resize(total, across.shape[-2:])
            + backward_difference(across, -1)
            + backward_difference(down, -2)
        )
    return total


def _resize(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
