"""Edge-preserving propagation: weighted least squares on the pixel grid, by conjugate gradients."""

from __future__ import annotations

from typing import Any
from warnings import warn

import torch
from torch import Tensor

from hdrq.tonemapping.solvers.multigrid import Hierarchy, apply

# Of the error's norm in the system itself, as the preconditioner estimates it; 1e-4 leaves about 1e-3 stops in 99 % of
# a photograph. Images of few levels need many passes, and may reach the last.
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}
_PASSES = {torch.float32: 100, torch.float64: 1000}
_LOOSE = 10  # times the tolerance: larger errors are reported


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
