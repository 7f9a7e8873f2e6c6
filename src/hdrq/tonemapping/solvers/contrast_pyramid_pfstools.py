"""Contrasts of all scales, and approximate reconstruction: Mantiuk 2006 with the solver of pfstools 2.2.

Four properties affect the result; they were determined from its images, not from its source. The pyramid ends above
three pixels per side. The values of the coarsest level are added to the sum of the divergences, so that the mean is
weakly constrained. Conjugate gradients start at the image itself and return to their best solution, with a new direction,
when the residual has increased four times in a row. They stop at a thousandth of the right-hand side. In float32, rounding
errors move these restarts: images agree to about 5e-4, and not to 1e-5 on any two machines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.tonemapping.solvers.contrast_pyramid import Field, differences, frame_of, times
from hdrq.tonemapping.solvers.poisson import backward_difference

_LEAST_SIDE = 3
_TOLERANCE, _PASSES, _RISES = 1e-3, 200, 3


def levels(x: Tensor) -> list[Tensor]:
    """(N, 1, H, W) and its means over 2x2, 4x4 ...; the last has three pixels or more per side."""
    found = [x]
    while min(x.shape[-2:]) // 2 >= _LEAST_SIDE:
        x = F.interpolate(x, size=(x.shape[-2] // 2, x.shape[-1] // 2), mode="area")
        found.append(x)
    return found


def contrasts(x: Tensor) -> list[Field]:
    """Forward differences at every level."""
    return [differences(q) for q in levels(x)]


def reconstruct(start: Tensor, targets: Sequence[Field], weights: Sequence[Field]) -> Tensor:
    """(N, 1, H, W) near the x that minimises Σ_k Σ weight (difference - target)², iterated from `start`."""
    frames = []
    for i, x in enumerate(start):
        mine = frame_of(weights, i)
        right = _gather(times(mine, frame_of(targets, i)))

        def apply(q: Tensor, mine: list[Field] = mine) -> Tensor:
            pyramid = levels(q)
            return _gather(times(mine, [differences(p) for p in pyramid]), pyramid[-1])

        frames.append(_descend(apply, right, x[None]))
    return torch.cat(frames)


def _descend(apply: Callable[[Tensor], Tensor], right: Tensor, x: Tensor) -> Tensor:
    goal = _TOLERANCE**2 * float(_dot(right, right).detach())
    r = right - apply(x)
    p, now = r, _dot(r, r)
    best, least, rises = x, float(now.detach()), 0
    for _ in range(_PASSES):
        if float(now.detach()) <= goal:
            return x
        q = apply(p)
        step = now / _dot(p, q)
        r, before = r - step.to(r.dtype) * q, now
        now = _dot(r, r)
        if bool(now > before):
            if not rises and float(before.detach()) < least:
                best, least = x, float(before.detach())
            rises += 1
        else:
            rises = 0
        x = x + step.to(x.dtype) * p
        if rises > _RISES:
            x, rises = best, 0
            r = right - apply(x)
            p, now = r, _dot(r, r)
        else:
            p = r + (now / before).to(r.dtype) * p
    return x if float(now.detach()) < least else best


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dtype=torch.float64)


def _gather(fields: Sequence[Field], first: Tensor | None = None) -> Tensor:
    """Divergences, with the coarser levels expanded to the finer ones."""
    coarser = [] if first is None else [first]
    for across, down in reversed(fields):
        here = backward_difference(across, -1) + backward_difference(down, -2)
        for total in coarser:
            here = here + F.interpolate(total, size=here.shape[-2:], mode="nearest")
        coarser = [here]
    return coarser[0]
