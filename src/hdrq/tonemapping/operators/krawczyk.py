"""Krawczyk 2005: the image is divided into frameworks of similar luminance, each with its own white."""

from __future__ import annotations

from itertools import pairwise
from math import exp
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import counted, cut, luminance, relight
from hdrq.tonemapping.operator import OperatorCard, operator

# of the program
_DELTA = 1e-6
_BINS = 256
# of k-means
_PASSES = 100
# log10 units under which two frameworks are one
_APART = 1.0
# membership that a framework's best pixel must exceed
_OWN = 0.6
# Share of pixels at either end whose values are clipped, so that single pixels form no framework.
_LEAST = 0.001


@operator(
    OperatorCard(
        title="Lightness perception in tone reproduction",
        source="Krawczyk, Myszkowski & Seidel 2005, doi:10.1111/j.1467-8659.2005.00888.x; "
        "variant as HDR Toolbox 5375d05",
        differentiable=False,
        robust=False,
        tunes={"anchor": (0.8, 0.999)},
        stepped=("anchor",),
        temporal=False,
        limits={"anchor": (0.01, 1), "sigma_range": (0.01, 10)},
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
    variant      paper: k-means until it settles, of luminance cut at its ranks of 0.1 and 99.9 %; hdrtoolbox: of all
                 log10(L + 1e-6), until no centre vanishes and their sum does not fall
    """
    y = luminance(light)
    if variant == "hdrtoolbox":
        x = seen = (y + _DELTA).log10()
    else:
        x = y.clamp(min=1e-30).log10()
        seen = cut(x, _LEAST)
    whites = [_whites(frame[None], anchor, sigma_range, variant) for frame in seen]
    shown = x - torch.cat(whites)
    return relight(light, y, 10 ** shown.clamp(-2, 0))


def _whites(x: Tensor, anchor: float, sigma_range: float, variant: str) -> Tensor:
    """Σ W_i P_i of one image (1, 1, H, W) of log10 luminance."""
    values = counted(x[0]).flatten()
    members = _frameworks(x, values, variant)
    owner = _first_largest(members)
    owners = counted(owner[0]).flatten()
    side = min(x.shape[-2:]) / 2
    weights, whites = [], []
    for i, member in enumerate(members):
        own = values[owners == i]
        if own.numel() == 0:
            continue
        articulation = 1 - exp(-(float(own.max() - own.min()) ** 2) / (2 * 0.33**2))
        rank = min(max(1, int(own.numel() * float(anchor) + 0.5)), own.numel())
        whites.append(float(own.kthvalue(rank).values))
        even = bilateral_grid(member, side, sigma_range, origin=0.0) if side >= 1 else member
        weights.append((articulation + 1e-6) * even + 1e-12)
    total = torch.stack(weights).sum(0)
    return torch.stack([w / total * white for w, white in zip(weights, whites)]).sum(0)


def _first_largest(x: Tensor) -> Tensor:
    """Index along the first dimension of the largest value, of the first among equals: argmax, eight times as fast."""
    return x.max(0).indices


def _frameworks(x: Tensor, values: Tensor, variant: str) -> Tensor:
    """Memberships (K, 1, 1, H, W) of every framework; a framework without a pixel of its own is joined to the next."""
    centres, weights = _centres(values, variant)
    _join_close(centres, weights)
    while True:
        sigma = max((b - a for a, b in pairwise(centres)), default=1.0)
        members = torch.stack([(-((x - c) ** 2) / (2 * sigma**2)).exp() for c in centres])
        share = members / members.sum(0).clamp(min=1e-30)
        owner = _first_largest(share)
        for i in range(len(centres) - 1):
            own = share[i][owner == i]
            if own.numel() == 0 or float(own.max()) <= _OWN:
                _join(centres, weights, i)
                break
        else:
            return members


def _centres(values: Tensor, variant: str) -> tuple[list[float], list[float]]:
    """k-means of the histogram of log10 luminance, one seed a decade: centres in order, and how many pixels each has."""
    x = values.double()
    low, high = float(x.min()), float(x.max())
    if high - low < 1e-3:
        return [(low + high) / 2], [float(x.numel())]
    at = torch.linspace(low, high, _BINS, dtype=torch.float64)
    place = ((x - low) / (high - low) * (_BINS - 1)).long()
    counts = torch.bincount(place, minlength=_BINS).double().cpu()
    seeds = torch.arange(low, high, 1.0, dtype=torch.float64)
    centres = torch.cat([seeds, torch.tensor([high], dtype=torch.float64)])
    for _ in range(_PASSES):
        nearest = (at[:, None] - centres[None]).abs().argmin(1)
        weight = torch.zeros(len(centres), dtype=torch.float64).index_add(0, nearest, counts)
        sums = torch.zeros(len(centres), dtype=torch.float64).index_add(0, nearest, counts * at)
        occupied = weight > 0
        moved = (sums / weight)[occupied]
        step = centres[occupied] - moved
        settled = float(step.sum()) <= 0 if variant == "hdrtoolbox" else float(step.abs().max()) < 1e-9
        centres, weight = moved, weight[occupied]
        if settled and bool(occupied.all()):
            break
    return centres.tolist(), weight.tolist()


def _join_close(centres: list[float], weights: list[float]) -> None:
    """The leftmost pair closer than one log10 unit becomes one, until there is none."""
    i = 0
    while i + 1 < len(centres):
        if centres[i + 1] - centres[i] < _APART:
            _join(centres, weights, i)
            i = 0
        else:
            i += 1


def _join(centres: list[float], weights: list[float], i: int) -> None:
    """Centre i and the next become their weighted mean."""
    both = weights[i] + weights[i + 1]
    centres[i : i + 2] = [(centres[i] * weights[i] + centres[i + 1] * weights[i + 1]) / both]
    weights[i : i + 2] = [both]
