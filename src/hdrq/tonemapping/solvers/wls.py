"""Edge-preserving propagation: weighted least squares on the pixel grid, by conjugate gradients.

They are preconditioned by multigrid for five-point systems with strongly varying weights: blocks of 2x2 pixels, edges summed.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from warnings import warn

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.arithmetic import PIECE

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
    """(own I + L), L the Laplacian of a grid graph: edges to the right, downwards, own weight, and the diagonal.

    relaxed      damping / diagonal
    found, left  memory of `cycle` for its result and for residuals
    """

    across: Tensor
    down: Tensor
    own: Tensor
    diagonal: Tensor
    relaxed: Tensor
    found: Tensor
    left: Tensor


def level(across: Tensor, down: Tensor, own: Tensor) -> Level:
    """A level of the grid from its weights across (H, W - 1) and down (H - 1, W), and the weight of each pixel itself (H, W)."""
    diagonal = own.clone()
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down
    found, left = torch.empty_like(own), torch.empty_like(own)
    return Level(across, down, own, diagonal, _DAMPING / diagonal, found, left)


def apply(a: Level, x: Tensor, out: Tensor | None = None) -> Tensor:
    """The system times x, (H, W), in strips that stay in the processor's cache."""
    h, w = x.shape
    y = torch.empty_like(x) if out is None else out
    rows = max(1, PIECE // w) if x.device.type == "cpu" else h
    for top in range(0, h, rows):
        end = min(top + rows, h)
        part, own = y[top:end], x[top:end]
        torch.mul(a.diagonal[top:end], own, out=part)
        part[:, :-1].addcmul_(a.across[top:end], own[:, 1:], value=-1)
        part[:, 1:].addcmul_(a.across[top:end], own[:, :-1], value=-1)
        last, first = min(end, h - 1), max(top, 1)
        y[top:last].addcmul_(a.down[top:last], x[top + 1 : last + 1], value=-1)
        y[first:end].addcmul_(a.down[first - 1 : end - 1], x[first - 1 : end - 1], value=-1)
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
        """One V-cycle, starting from zero. The result is in memory that the next call overwrites."""
        a = self.levels[at]
        if at == len(self.levels) - 1:
            result: Tensor = (self.inverse @ b.flatten()).view_as(b)
            return result
        x = torch.mul(a.relaxed, b, out=a.found)
        coarse = self.cycle(_gather(_residual(a, x, b)), at + 1).repeat_interleave(2, 1)[:, : b.shape[1]]
        x[::2] += coarse
        x[1::2] += coarse[: b.shape[0] // 2]
        return x.addcmul_(a.relaxed, _residual(a, x, b))


def _residual(a: Level, x: Tensor, b: Tensor) -> Tensor:
    """b - A x, in memory that the next call overwrites."""
    y = apply(a, x, a.left)
    return torch.sub(b, y, out=y)


def _gather(x: Tensor) -> Tensor:
    """Sums over 2x2 blocks; those at the ends of odd sides are smaller."""
    for dim in (0, 1):
        n = x.shape[dim]
        even, odd = (x[i::2] if dim == 0 else x[:, i::2] for i in (0, 1))
        if n % 2:
            even = even.clone()
            even.narrow(dim, 0, n // 2).add_(odd)
            x = even
        else:
            x = even + odd
    return x


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
    x = levels.cycle(b).clone()
    whole = float((b * x).sum())
    r = _residual(levels.top, x, b).clone()
    p, rz = torch.zeros_like(x), 1.0
    left = whole
    for _ in range(_PASSES.get(b.dtype, 100)):
        z = levels.cycle(r)
        left = float((r * z).sum())
        if left <= tolerance**2 * whole + 1e-30:
            break
        p = p.mul_(left / rz).add_(z)
        rz = left
        q = apply(levels.top, p, levels.top.left)
        step = rz / float((p * q).sum())
        x.add_(p, alpha=step)
        r.sub_(q, alpha=step)
    if left > (_LOOSE * tolerance) ** 2 * whole + 1e-30:
        warn(
            f"edge-preserving smoothing stopped {(left / whole) ** 0.5:.1%} from its solution; an image of few levels "
            "(posterised, 8 bits) converges slowly; use float64 or a smaller image",
            Unsettled,
            stacklevel=2,
        )
    return x[None, None]
