"""Reconstruction of an image from contrasts between neighbours at every scale, by weighted least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.tonemapping.solvers.poisson import backward_difference, forward_difference

# horizontal, vertical
Field = tuple[Tensor, Tensor]
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-9}
_PASSES = 200


def contrasts(x: Tensor) -> list[Field]:
    """Forward differences of (N, 1, H, W) and of its means over 2x2, 4x4 ... down to two pixels per side."""
    levels = []
    for _ in range(_depth(x)):
        levels.append(differences(x))
        x = _halve(x)
    return levels


def differences(x: Tensor) -> Field:
    """Forward differences of one level."""
    return forward_difference(x, -1), forward_difference(x, -2)


def reconstruct(targets: Sequence[Field], weights: Sequence[Field]) -> Tensor:
    """x that minimises Σ_k 4^k Σ weight (difference - target)², up to a constant; (N, 1, H, W)."""
    found: Tensor = _Solve.apply(
        len(targets), *(g for f in targets for g in f), *(c for f in weights for c in f)
    )
    return found


def _depth(x: Tensor) -> int:
    side, depth = min(x.shape[-2:]), 1
    while side // 2 >= 2:
        side, depth = side // 2, depth + 1
    return depth


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def _spread(x: Tensor, like: Tensor) -> Tensor:
    """Four times the transpose of `_halve`: every pixel spread over its block, with more weight at cropped border blocks."""
    h, w = like.shape[-2:]
    x = x.repeat_interleave(2, -2).repeat_interleave(2, -1)[..., :h, :w]
    if h % 2 or w % 2:
        share = torch.ones_like(x)
        if h % 2:
            share[..., -1, :] *= 2
        if w % 2:
            share[..., -1] *= 2
        x = x * share
    return x


def _gather(fields: Sequence[Field]) -> Tensor:
    """Transpose of `contrasts`, each level weighted by 4^k."""
    parts = [-backward_difference(across, -1) - backward_difference(down, -2) for across, down in fields]
    total = parts[-1]
    for here in reversed(parts[:-1]):
        total = here + _spread(total, here)
    return total


def times(a: Sequence[Field], b: Sequence[Field]) -> list[Field]:
    """Products of the fields of every level."""
    return [(p * u, q * v) for (p, q), (u, v) in zip(a, b)]


def _conjugate_gradients(right: Tensor, weights: Sequence[Field]) -> Tensor:
    """One frame, starting from zero."""
    x, r = torch.zeros_like(right), right
    p, rr = r, (r * r).sum()
    goal = (_TOLERANCE.get(right.dtype, 1e-3) ** 2) * float(rr) + 1e-30
    for _ in range(_PASSES):
        if float(rr) <= goal:
            break
        q = _gather(times(weights, contrasts(p)))
        step = rr / (p * q).sum()
        x, r = x + step * p, r - step * q
        new = (r * r).sum()
        p, rr = r + (new / rr) * p, new
    return x


class _Solve(torch.autograd.Function):
    """The gradient is the solution of the same system with another right-hand side."""

    @staticmethod
    def forward(ctx: Any, levels: int, *fields: Tensor) -> Tensor:
        wanted, weights = _paired(fields[: 2 * levels]), _paired(fields[2 * levels :])
        right = _gather(times(weights, wanted))
        x = torch.cat([_conjugate_gradients(b[None], frame_of(weights, i)) for i, b in enumerate(right)])
        ctx.save_for_backward(x, *fields)
        ctx.levels = levels
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, *fields = ctx.saved_tensors
        wanted, weights = _paired(fields[: 2 * ctx.levels]), _paired(fields[2 * ctx.levels :])
        even = grads[0] - grads[0].mean((-2, -1), keepdim=True)
        y = torch.cat([_conjugate_gradients(g[None], frame_of(weights, i)) for i, g in enumerate(even)])
        felt = [(4.0**k * u, 4.0**k * v) for k, (u, v) in enumerate(contrasts(y))]
        to_wanted = times(weights, felt)
        missed = [(p - u, q - v) for (p, q), (u, v) in zip(wanted, contrasts(x))]
        to_weights = times(missed, felt)
        return (None, *(g for f in to_wanted for g in f), *(c for f in to_weights for c in f))


def _paired(flat: Sequence[Tensor]) -> list[Field]:
    return list(zip(flat[::2], flat[1::2]))


def frame_of(fields: Sequence[Field], i: int) -> list[Field]:
    """The fields of frame i alone, (1, 1, H, W) each."""
    return [(a[i : i + 1], b[i : i + 1]) for a, b in fields]
