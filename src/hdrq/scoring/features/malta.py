"""Butteraugli's Malta filter: the energy of a difference along short lines of sixteen directions and bends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from hdrq.image.filters import strips

REACH = 4
# rows and columns
Offset = tuple[int, int]


@dataclass(frozen=True)
class LineGroup:
    """Lines whose two arms are the same segment, put elsewhere; each line is its own mirror image at its centre.

    step    from one sample of a segment to the next
    centre  samples in the middle, 1 or 3
    arm     samples of an arm: 3 around its offset, or 2 from its offset on
    lines   (offset of one arm, how often the line counts)
    """

    step: Offset
    centre: int
    arm: int
    lines: tuple[tuple[Offset, float], ...]


def _once(*offsets: Offset) -> tuple[tuple[Offset, float], ...]:
    return tuple((offset, 1.0) for offset in offsets)


Lines = Literal["full", "sparse"]
LINE_GROUPS: dict[Lines, tuple[LineGroup, ...]] = {
    # bent lines along the axes count twice, as libjxl adds them up
    "full": (
        LineGroup((1, 0), 3, 3, (((3, 0), 1.0), ((3, -1), 2.0), ((3, 1), 2.0))),
        LineGroup((0, 1), 3, 3, (((0, 3), 1.0), ((1, 3), 2.0), ((-1, 3), 2.0))),
        LineGroup((1, 1), 3, 2, _once((2, 2), (2, 1), (1, 2))),
        LineGroup((1, -1), 3, 2, _once((2, -2), (2, -1), (1, -2))),
    ),
    "sparse": (
        LineGroup((2, 0), 1, 2, _once((2, 0), (2, -1), (2, 1))),
        LineGroup((0, 2), 1, 2, _once((0, 2), (1, 2), (-1, 2))),
        LineGroup((1, 1), 1, 2, _once((2, 2), (2, 1), (1, 2))),
        LineGroup((1, -1), 1, 2, _once((2, -2), (2, -1), (1, -2))),
        *(LineGroup(step, 1, 2, _once(step)) for step in ((-1, 2), (1, 2), (2, 1), (2, -1))),
    ),
}


def offsets(lines: Lines) -> Iterator[tuple[float, list[Offset]]]:
    """(how often it counts, the samples it adds up) of each different line."""
    for bundle in LINE_GROUPS[lines]:
        dy, dx = bundle.step
        for (y, x), count in bundle.lines:
            arm = [(y + k * dy, x + k * dx) for k in ((-1, 0, 1) if bundle.arm == 3 else (0, 1))]
            middle = [(0, 0)] + ([(dy, dx), (-dy, -dx)] if bundle.centre == 3 else [])
            yield count, middle + arm + [(-r, -c) for r, c in arm]


def malta(ref: Tensor, dist: Tensor, weights: tuple[float, float, float], lines: Lines) -> Tensor:
    """Energy of the weighted difference of two bands along lines, (N, C, H, W); zero outside the frame.

    weights  (of the difference, of what lies beyond 0.55 to 1.05 of the reference, contrast that hides a half)
    """
    found: Tensor = _Malta.apply(ref, dist, weights, lines)
    return found


def excess(ref: Tensor, dist: Tensor, low: float, high: float) -> Tensor:
    """How far `dist` lies outside low · ref .. high · ref; below 0 above it."""
    a, b = low * ref, high * ref
    return torch.clamp(dist, torch.minimum(a, b), torch.maximum(a, b)) - dist


def _difference(ref: Tensor, dist: Tensor, weights: tuple[float, float, float]) -> Tensor:
    both, outside, contrast = weights
    top = both * (ref - dist) + outside * excess(ref, dist, 0.55, 1.05)
    return top / (contrast + (ref.abs() + dist.abs()) / 2)


class _Malta(torch.autograd.Function):
    """Forward in strips that fit into the cache; backward computes the difference again."""

    @staticmethod
    def forward(
        ctx: Any, ref: Tensor, dist: Tensor, weights: tuple[float, float, float], lines: Lines
    ) -> Tensor:
        ctx.save_for_backward(ref, dist)
        ctx.weights, ctx.lines = weights, lines
        out = torch.empty_like(ref)
        n, c, h, w = ref.shape
        for rows in strips(h, 6 * n * c * w, ref, REACH):
            top, bottom = max(rows.start - REACH, 0), min(rows.stop + REACH, h)
            part = _difference(ref[..., top:bottom, :], dist[..., top:bottom, :], weights)
            above, below = REACH - (rows.start - top), REACH - (bottom - rows.stop)
            part = F.pad(part, (REACH, REACH, above, below))
            _energy(part, lines, out[..., rows, :].zero_())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        ref, dist = (x.detach().requires_grad_() for x in ctx.saved_tensors)
        with torch.enable_grad():
            difference = _difference(ref, dist, ctx.weights)
        d = difference.detach()
        slope = torch.zeros_like(d)
        for count, samples in offsets(ctx.lines):
            slope += _sum(2 * count * grads[0] * _sum(d, samples), samples)
        found = torch.autograd.grad(difference, (ref, dist), slope)
        return *found, None, None


def _sum(x: Tensor, samples: list[Offset]) -> Tensor:
    h, w = x.shape[-2:]
    wide = F.pad(x, (REACH,) * 4)
    total = torch.zeros_like(x)
    for dy, dx in samples:
        total += wide[..., REACH + dy : REACH + dy + h, REACH + dx : REACH + dx + w]
    return total


def _energy(wide: Tensor, lines: Lines, out: Tensor) -> None:
    """Add the squares of all lines' sums to `out`, which `wide` exceeds by REACH on every side.

    Segments that several lines have in common are added up once.
    """
    h, w = out.shape[-2:]

    def at(x: Tensor, away: Offset, start: Offset = (0, 0)) -> Tensor:
        """The samples of the strip, `away`; the first sample of x lies at `start` of `wide`."""
        y, z = REACH + away[0] - start[0], REACH + away[1] - start[1]
        return x[..., y : y + h, z : z + w]

    total = torch.empty_like(out)
    for bundle in LINE_GROUPS[lines]:
        dy, dx = bundle.step
        pair, start = _shifted(wide, bundle.step)
        if bundle.arm == 3 or bundle.centre == 3:
            triple, triple_start = _thrice(wide, pair, bundle.step, start)
        centre = at(triple, (0, 0), triple_start) if bundle.centre == 3 else at(wide, (0, 0))
        for (y, x), count in bundle.lines:
            if bundle.arm == 3:
                torch.add(at(triple, (y, x), triple_start), at(triple, (-y, -x), triple_start), out=total)
            else:
                torch.add(at(pair, (y, x), start), at(pair, (-y - dy, -x - dx), start), out=total)
            total.add_(centre)
            out.addcmul_(total, total, value=count)


def _shifted(x: Tensor, step: Offset) -> tuple[Tensor, Offset]:
    """x(p) + x(p + step) wherever both are known, and where the first of them lies."""
    (h, w), (dy, dx) = x.shape[-2:], step
    start = (max(-dy, 0), max(-dx, 0))
    rows, columns = h - abs(dy), w - abs(dx)
    here = x[..., start[0] : start[0] + rows, start[1] : start[1] + columns]
    there = x[..., start[0] + dy : start[0] + dy + rows, start[1] + dx : start[1] + dx + columns]
    return here + there, start


def _thrice(x: Tensor, pair: Tensor, step: Offset, start: Offset) -> tuple[Tensor, Offset]:
    """x(p - step) + x(p) + x(p + step) wherever all are known, and where the first of them lies."""
    (dy, dx), (h, w) = step, pair.shape[-2:]
    rows, columns = h - abs(dy), w - abs(dx)
    first = (start[0] + max(dy, 0), start[1] + max(dx, 0))
    y, z = first[0] - start[0], first[1] - start[1]
    after = pair[..., y : y + rows, z : z + columns]
    before = x[..., first[0] - dy : first[0] - dy + rows, first[1] - dx : first[1] - dx + columns]
    return after + before, first
