"""Hole filling by patches from elsewhere, coarse to fine.

Source: nearest-neighbour fields by random search and propagation, Barnes et al., SIGGRAPH 2009,
doi:10.1145/1531326.1531330; patch voting as Wexler, Shechtman & Irani, IEEE TPAMI 29(3), 2007. Propagation uses
all four neighbours of all pixels at once (jump flooding), so that it can be computed on tensors.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# patches of 7 x 7
RADIUS = 3


def fill(
    target: Tensor, hole: Tensor, source: Tensor, seed: int = 0, *, rounds: int = 3, search: int = 4
) -> Tensor:
    """`target` with its hole filled so that every patch over it resembles a patch of `source`.

    target, source  (C, H, W) float of the same scale;  hole (H, W) bool;  source may be used anywhere
    rounds          of search and voting per level;  search: passes of propagation and random search per round
    """
    if not bool(hole.any()):
        return target
    chance = torch.Generator(device="cpu").manual_seed(seed)
    levels = [(target, hole, source)]
    while min(levels[-1][1].shape) >= 64 and bool(_thickness(levels[-1][1]) > 2 * RADIUS):
        levels.append(tuple(_half(*levels[-1])))  # type: ignore[arg-type]
    guess: Tensor | None = None
    field: Tensor | None = None
    for target, hole, source in reversed(levels):
        if guess is None:
            now = _spread_in(target, hole)
        else:
            up = F.interpolate(guess[None], size=hole.shape, mode="bilinear", align_corners=False)[0]
            now = torch.where(hole, up, target)
        at = torch.nonzero(_near(hole))
        field = _start(at, field, hole.shape, chance)
        for _ in range(rounds):
            field = _search(now, source, at, field, chance, search)
            now = torch.where(hole, _vote(source, at, field, hole.shape), now)
        guess = now
        grid = torch.zeros(2, *hole.shape, dtype=torch.long)
        grid[:, at[:, 0], at[:, 1]] = (field - at).T
        field = grid
    return guess if guess is not None else target


def _thickness(hole: Tensor) -> Tensor:
    """Largest distance into the hole, in pixels (chessboard distance), up to 64."""
    inside, depth = hole[None, None].float(), torch.tensor(0)
    while bool(inside.any()) and int(depth) < 64:
        inside = 1 - F.max_pool2d(F.pad(1 - inside, (1, 1, 1, 1), value=0), 3, 1)
        depth = depth + 1
    return depth


def _half(target: Tensor, hole: Tensor, source: Tensor) -> list[Tensor]:
    """Half size; colours of the hole do not mix with its surroundings."""
    known = (~hole).float()[None]
    weight = F.avg_pool2d(known[None], 2, ceil_mode=True)[0]
    inner = F.avg_pool2d((target * known)[None], 2, ceil_mode=True)[0] / weight.clamp(min=1e-6)
    return [inner, weight[0] < 0.5, F.avg_pool2d(source[None], 2, ceil_mode=True)[0]]


def _spread_in(target: Tensor, hole: Tensor) -> Tensor:
    """The hole filled from its surroundings, ring by ring."""
    value, known = torch.where(hole, torch.zeros_like(target), target), (~hole).float()[None]
    for _ in range(max(hole.shape)):
        if bool((known > 0).all()):
            break
        sums = F.avg_pool2d(F.pad((value * known)[None], (1,) * 4), 3, 1)[0]
        weight = F.avg_pool2d(F.pad(known[None], (1,) * 4), 3, 1)[0]
        fresh = (known == 0) & (weight > 0)
        value = torch.where(fresh, sums / weight.clamp(min=1e-6), value)
        known = torch.where(fresh, torch.ones_like(known), known)
    return value


def _near(hole: Tensor) -> Tensor:
    """Pixels whose patch overlaps the hole."""
    return F.max_pool2d(hole[None, None].float(), 2 * RADIUS + 1, 1, RADIUS)[0, 0] > 0


def _start(at: Tensor, before: Tensor | None, shape: torch.Size, chance: torch.Generator) -> Tensor:
    """Initial matches (K, 2): those of the coarser level, doubled, else random."""
    h, w = shape
    if before is None:
        y, x = (torch.randint(0, n, (len(at),), generator=chance) for n in (h, w))
        return torch.stack([y, x], 1)
    rows = (at[:, 0] // 2).clamp(max=before.shape[1] - 1)
    columns = (at[:, 1] // 2).clamp(max=before.shape[2] - 1)
    return _within(at + 2 * before[:, rows, columns].T, shape)


def _within(match: Tensor, shape: torch.Size) -> Tensor:
    return torch.stack([match[:, 0].clamp(0, shape[0] - 1), match[:, 1].clamp(0, shape[1] - 1)], 1)


def _patches(image: Tensor, at: Tensor) -> Tensor:
    """(K, C 49) patches around pixels; borders repeat."""
    h, w = image.shape[-2:]
    d = torch.arange(-RADIUS, RADIUS + 1)
    y = (at[:, 0, None, None] + d[:, None]).clamp(0, h - 1)
    x = (at[:, 1, None, None] + d[None]).clamp(0, w - 1)
    return image.flatten(1)[:, (y * w + x).flatten(1)].permute(1, 0, 2).flatten(1)


def _search(
    now: Tensor, source: Tensor, at: Tensor, field: Tensor, chance: torch.Generator, passes: int
) -> Tensor:
    """Improved matches (K, 2) of the patches at `at`."""
    h, w = now.shape[-2:]
    wanted = _patches(now, at)
    cost = (_patches(source, field) - wanted).square().sum(1)
    index = torch.full((h, w), -1)
    index[at[:, 0], at[:, 1]] = torch.arange(len(at))
    for _ in range(passes):
        tries = []
        for jump in (1, 8):
            for dy, dx in ((jump, 0), (-jump, 0), (0, jump), (0, -jump)):
                y, x = (at[:, 0] + dy).clamp(0, h - 1), (at[:, 1] + dx).clamp(0, w - 1)
                other = index[y, x]
                shifted = torch.where(
                    (other >= 0)[:, None], field[other.clamp(min=0)] - torch.tensor([dy, dx]), field
                )
                tries.append(shifted)
        reach = max(h, w)
        while reach >= 1:
            step = ((torch.rand(len(at), 2, generator=chance) * 2 - 1) * reach).long()
            tries.append(field + step)
            reach //= 4
        for candidate in tries:
            candidate = _within(candidate, now.shape[-2:])
            other_cost = (_patches(source, candidate) - wanted).square().sum(1)
            better = other_cost < cost
            field = torch.where(better[:, None], candidate, field)
            cost = torch.where(better, other_cost, cost)
    return field


def _vote(source: Tensor, at: Tensor, field: Tensor, shape: torch.Size) -> Tensor:
    """Mean of the values of all patches that cover a pixel, (C, H, W)."""
    h, w = shape
    total, votes = torch.zeros(len(source), h * w), torch.zeros(h * w)
    flat = source.flatten(1)
    for dy in range(-RADIUS, RADIUS + 1):
        for dx in range(-RADIUS, RADIUS + 1):
            y, x = at[:, 0] + dy, at[:, 1] + dx
            sy, sx = (field[:, 0] + dy).clamp(0, h - 1), (field[:, 1] + dx).clamp(0, w - 1)
            ok = (y >= 0) & (y < h) & (x >= 0) & (x < w)
            to = (y * w + x)[ok]
            total.index_add_(1, to, flat[:, (sy * w + sx)[ok]])
            votes.index_add_(0, to, torch.ones(len(to)))
    return (total / votes.clamp(min=1)).reshape(-1, h, w)
