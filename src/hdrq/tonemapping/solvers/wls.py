"""Edge-preserving propagation: weighted least squares on the pixel grid, by conjugate gradients.

They are preconditioned by multigrid for five-point systems with strongly varying weights: blocks of 2x2 pixels, edges summed.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from warnings import warn

import torch
import torch.nn.functional as F
from torch import Tensor

# of the Jacobi sweep before and after a coarser level
_DAMPING = 0.8
# pixels; solved directly
_COARSEST = 256
# Of the error's norm in the system itself, as the preconditioner estimates it; 1e-4 leaves about 1e-3 stops in 99 % of
# a photograph. Images of few levels need many passes, and may reach the last.
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}
_PASSES = {torch.float32: 100, torch.float64: 1000}
# times the tolerance: larger errors are reported
_LOOSE = 10


class Level(NamedTuple):
    """(own I + L), L the Laplacian of a grid graph: edges to the right, downwards, own weight, and the diagonal."""

    across: Tensor
    down: Tensor
    own: Tensor
    diagonal: Tensor


def level(across: Tensor, down: Tensor, own: Tensor) -> Level:
    """A level of the grid from its weights across (H, W - 1) and down (H - 1, W), and the weight of each pixel itself (H, W)."""
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
        """The finest level."""
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


class Unsettled(UserWarning):
    """The iteration limit was reached before the tolerance; the image is smoothed slightly less than requested."""


def wls(target: Tensor, data: float | Tensor, across: Tensor, down: Tensor) -> Tensor:
    """f that minimises data Σ (f - target)² + Σ across (f[j+1] - f[j])² + Σ down (f[i+1] - f[i])².

    target  (N, 1, H, W); across (N, 1, H, W - 1) and down (N, 1, H - 1, W), weights >= 0
    data    weight of the target, > 0

    Source: Lischinski et al. 2006, doi:10.1145/1141911.1141936. The gradient solves the same system once more.
    """
    weight = torch.as_tensor(data, dtype=torch.float64)
    found: Tensor = _Solve.apply(target, across, down, weight, _TOLERANCE.get(target.dtype, 1e-4))
    return found


def smoothness(x: Tensor, strength: float, power: float, least: float) -> tuple[Tensor, Tensor]:
    """Weights (horizontal, vertical) that are small between different neighbours: strength / (|difference|^power + least)."""
    across, down = x.diff(dim=-1).abs(), x.diff(dim=-2).abs()
    if power != 1:
        across, down = across**power, down**power
    return strength / (across + least), strength / (down + least)


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, target: Tensor, across: Tensor, down: Tensor, data: Tensor, tolerance: float
    ) -> Tensor:
        own = float(data)
        x = torch.cat([_one(t, a, d, own, tolerance) for t, a, d in zip(target * own, across, down)])
        ctx.save_for_backward(x, target, across, down)
        ctx.data, ctx.tolerance = own, tolerance
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, target, across, down = ctx.saved_tensors
        pairs = zip(grads[0], across, down)
        y = torch.cat([_one(g, a, d, ctx.data, ctx.tolerance) for g, a, d in pairs])
        to_data = (y * (target - x)).sum().double()
        return (
            ctx.data * y,
            -y.diff(dim=-1) * x.diff(dim=-1),
            -y.diff(dim=-2) * x.diff(dim=-2),
            to_data,
            None,
        )


def _one(right: Tensor, across: Tensor, down: Tensor, data: float, tolerance: float) -> Tensor:
    """Preconditioned conjugate gradients for one frame (1, H, W); returns (1, 1, H, W)."""
    levels = Hierarchy(across[0], down[0], torch.full_like(right[0], data))
    b = right[0]
    x = levels.cycle(b)
    whole = float((b * x).sum())
    r = b - apply(levels.top, x)
    p, rz = torch.zeros_like(x), torch.ones((), dtype=b.dtype, device=b.device)
    left = whole
    for _ in range(_PASSES.get(b.dtype, 100)):
        z = levels.cycle(r)
        new = (r * z).sum()
        left = float(new)
        if left <= tolerance**2 * whole + 1e-30:
            break
        p = z + (new / rz) * p
        rz = new
        q = apply(levels.top, p)
        step = rz / (p * q).sum()
        x, r = x + step * p, r - step * q
    if left > (_LOOSE * tolerance) ** 2 * whole + 1e-30:
        warn(
            f"edge-preserving smoothing stopped {(left / whole) ** 0.5:.1%} from its solution; an image of few levels "
            "(posterised, 8 bits) converges slowly; use float64 or a smaller image",
            Unsettled,
            stacklevel=2,
        )
    return x[None, None]
