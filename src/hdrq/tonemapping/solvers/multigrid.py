"""Multigrid for five-point systems with strongly varying weights: blocks of 2x2 pixels, with edges summed."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_DAMPING = 0.8  # of the Jacobi sweep before and after a coarser level
_COARSEST = 256  # pixels; solved directly


class Level(NamedTuple):
    """(own I + L), L the Laplacian of a grid graph: edges to the right, downwards, own weight, and the diagonal."""

    across: Tensor
    down: Tensor
    own: Tensor
    diagonal: Tensor


def level(across: Tensor, down: Tensor, own: Tensor) -> Level:
    diagonal = own.clone()
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down
    return Level(across, down, own, diagonal)


def apply(a: Level, x: Tensor) -> Tensor:
    """The system times x, (H, W)."""
    y = a.diagonal * x
    y[:, :-1].addcmul_(a.across, x[:, 1:], value=-1)
    y[:, 1:].addcmul_(a.across, x[:, :-1], value=-1)
    y[:-1].addcmul_(a.down, x[1:], value=-1)
    y[1:].addcmul_(a.down, x[:-1], value=-1)
    return y


class Hierarchy:
    """Increasingly coarse copies of one system; `cycle` is a symmetric approximate inverse, for conjugate gradients."""

    def __init__(self, across: Tensor, down: Tensor, own: Tensor) -> None:
        self.levels = [level(across, down, own)]
        while self.levels[-1].own.numel() > _COARSEST:
            self.levels.append(_coarser(self.levels[-1]))
        last = self.levels[-1]
        n = last.own.numel()
        unit = torch.eye(n, dtype=last.own.dtype, device=last.own.device).view(n, *last.own.shape)
        dense = torch.stack([apply(last, e).flatten() for e in unit]).double()
        self.inverse = torch.linalg.inv(dense).to(last.own.dtype)

    @property
    def top(self) -> Level:
        return self.levels[0]

    def cycle(self, b: Tensor, at: int = 0) -> Tensor:
        """One V-cycle, starting from zero."""
        a = self.levels[at]
        if at == len(self.levels) - 1:
            result: Tensor = (self.inverse @ b.flatten()).view_as(b)
            return result
        x = _DAMPING * b / a.diagonal
        x = x + _spread(self.cycle(_gather(b - apply(a, x)), at + 1), b.shape)
        return x + _DAMPING * (b - apply(a, x)) / a.diagonal


def _even(x: Tensor) -> Tensor:
    return F.pad(x, (0, x.shape[1] % 2, 0, x.shape[0] % 2))


def _gather(x: Tensor) -> Tensor:
    """Sums over 2x2 blocks."""
    return 4 * F.avg_pool2d(_even(x)[None, None], 2)[0, 0]


def _spread(x: Tensor, shape: torch.Size) -> Tensor:
    return x.repeat_interleave(2, 0).repeat_interleave(2, 1)[: shape[0], : shape[1]]


def _coarser(a: Level) -> Level:
    """Edges between blocks are the sums of the edges that they replace."""
    h, w = a.own.shape
    right = F.pad(a.across[:, 1::2], (0, 0, 0, h % 2)).unflatten(0, ((h + 1) // 2, 2)).sum(1)
    below = F.pad(a.down[1::2], (0, w % 2)).unflatten(1, ((w + 1) // 2, 2)).sum(2)
    return level(right, below, _gather(a.own))
