"""Krawczyk 2005: a scene seen as frameworks, each with its own white."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, exp, floor
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import luminance, relight
from hdrq.tonemapping.operator import OperatorCard, operator

_DELTA = 1e-6
_BINS = 256
_APART = 1.0  # log10 units under which two frameworks are one


@operator(
    OperatorCard(
        title="Lightness perception in tone reproduction",
        source="Krawczyk, Myszkowski & Seidel 2005, doi:10.1111/j.1467-8659.2005.00888.x; "
        "variant as HDR Toolbox 5375d05",
        differentiable=False,
        tunes={"anchor": (0.8, 0.999)},
    )
)
def krawczyk(
    light: Tensor,
    *,
    anchor: float = 0.95,
    sigma_range: float = 0.4,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """log10 L_d = log10 L - Σ_i W_i P_i, cut to two decades below white.

    anchor       rank of the luminance that looks white in a framework
    sigma_range  of the bilateral filter that makes the memberships P_i even; its width is half the shorter side
    variant      hdrtoolbox seeds the frameworks from the darkest pixel upwards and moves them once
    """
    y = luminance(light)
    x = (y + _DELTA).log10()
    shown = torch.cat([frame[None] - _whites(frame[None], anchor, sigma_range, variant) for frame in x])
    return relight(light, y, 10 ** shown.clamp(-2, 0))


def _whites(x: Tensor, anchor: float, sigma_range: float, variant: str) -> Tensor:
    """Σ W_i P_i of one frame."""
    centres = _centres(x, variant)
    sigma = max((b - a for a, b in pairwise(centres)), default=1.0)
    members = [(-((x - c) ** 2) / (2 * sigma**2)).exp() for c in centres]
    total = torch.stack(members).sum(0)
    if len(members) > 1:
        members = [m for m in members if float((m / total).max()) > 0.6] or members
    owner = torch.stack(members).argmax(0)
    side = min(x.shape[-2:]) / 2
    weights, whites = [], []
    for i, member in enumerate(members):
        own = x[owner == i]
        if own.numel() == 0:
            continue
        articulation = 1 - exp(-(float(own.max() - own.min()) ** 2) / (2 * 0.33**2))
        whites.append(float(own.kthvalue(max(1, int(own.numel() * anchor + 0.5))).values))
        even = bilateral_grid(member, side, sigma_range, origin=0.0) if side >= 1 else member
        weights.append((articulation + 1e-6) * even + 1e-12)
    total = torch.stack(weights).sum(0)
    return torch.stack([w / total * white for w, white in zip(weights, whites)]).sum(0)


def _centres(x: Tensor, variant: str) -> list[float]:
    """k-means of the histogram of log10 luminance, one seed a decade, close centroids joined by their weight."""
    low, high = float(x.min()), float(x.max())
    if high - low < 1e-3:
        return [(low + high) / 2]
    at = torch.linspace(low, high, _BINS, dtype=torch.float64)
    if variant == "hdrtoolbox":
        place = ((x.double() - low) / (high - low) * (_BINS - 1)).long().flatten()
        counts, passes = torch.bincount(place, minlength=_BINS).double().cpu(), 1
        centres = torch.arange(low, high, 1.0, dtype=torch.float64)
    else:
        counts, passes = torch.histc(x.double(), _BINS, low, high).cpu(), 100
        centres = torch.arange(floor(low), ceil(high) + 1, dtype=torch.float64)
    for _ in range(passes):
        nearest = (at[:, None] - centres[None]).abs().argmin(1)
        weight = torch.zeros(len(centres), dtype=torch.float64).index_add(0, nearest, counts)
        sums = torch.zeros(len(centres), dtype=torch.float64).index_add(0, nearest, counts * at)
        moved = (sums / weight)[weight > 0]
        settled = len(moved) == len(centres) and bool((moved - centres).abs().max() < 1e-9)
        centres = moved
        if settled:
            break
    return _joined(centres.tolist(), weight[weight > 0].tolist())


def _joined(centres: list[float], weights: list[float]) -> list[float]:
    while len(centres) > 1:
        gaps = [b - a for a, b in pairwise(centres)]
        i = gaps.index(min(gaps))
        if gaps[i] >= _APART:
            break
        both = weights[i] + weights[i + 1]
        centres[i : i + 2] = [(centres[i] * weights[i] + centres[i + 1] * weights[i + 1]) / both]
        weights[i : i + 2] = [both]
    return centres
