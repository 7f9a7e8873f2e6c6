"""Exposure fusion: the best exposed parts of several pictures, joined in Laplacian pyramids."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.ops.colour import weigh
from hdrq.ops.windows import filter2, separable

_GREY = (0.299, 0.587, 0.114)
_TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_LEAST = 1e-12


def fuse(
    stack: Sequence[Tensor], contrast: float = 1.0, saturation: float = 1.0, exposedness: float = 1.0
) -> Tensor:
    """One picture of several codes 0..1, (N, C, H, W) each. Not clipped: values beyond 0..1 do occur.

    Source: Mertens, Kautz & Van Reeth 2007, doi:10.1109/PG.2007.17
    """
    weights = [_quality(code, contrast, saturation, exposedness) for code in stack]
    total = torch.stack(weights).sum(0)
    depth = max(floor(log2(max(min(stack[0].shape[-2:]), 1))), 0)
    joined: list[Tensor] = []
    for code, weight in zip(stack, weights):
        share = _gaussians(weight / total, depth)
        bands = [band * s for band, s in zip(laplacians(code, depth), share)]
        joined = [a + b for a, b in zip(joined, bands)] if joined else bands
    return collapse(joined)


def _quality(code: Tensor, contrast: float, saturation: float, exposedness: float) -> Tensor:
    grey = weigh(code, _GREY)
    edge = grey.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    sharp = (filter2(grey, edge, "symmetric") ** 2 + _LEAST**2).sqrt()
    vivid = (
        (code.var(1, keepdim=True, correction=0) + _LEAST**2).sqrt()
        if code.shape[1] > 1
        else torch.ones_like(sharp)
    )
    exposed = (-((code - 0.5) ** 2) / 0.08).exp().prod(1, keepdim=True)
    return sharp**contrast * vivid**saturation * exposed**exposedness + _LEAST


def laplacians(x: Tensor, depth: int) -> list[Tensor]:
    """Bands from fine to coarse, the last one the rest."""
    bands = []
    for _ in range(depth):
        low = shrink(x)
        bands.append(x - grow(low, x.shape[-2:]))
        x = low
    return [*bands, x]


def collapse(bands: Sequence[Tensor]) -> Tensor:
    """The picture of its bands: the inverse of `laplacians`."""
    x = bands[-1]
    for band in reversed(bands[:-1]):
        x = grow(x, band.shape[-2:]) + band
    return x


def _gaussians(x: Tensor, depth: int) -> list[Tensor]:
    levels = [x]
    for _ in range(depth):
        levels.append(shrink(levels[-1]))
    return levels


def shrink(x: Tensor) -> Tensor:
    """Blur by five binomial taps, keep every second pixel."""
    return separable(x, x.new_tensor(_TAPS), border="reflect")[..., ::2, ::2]


def grow(x: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Twice the size: every pixel between zeros, blurred by four times the binomial taps."""
    n, c, h, w = x.shape
    spread = torch.stack([x, torch.zeros_like(x)], -1).reshape(n, c, h, 2 * w)
    spread = torch.stack([spread, torch.zeros_like(spread)], -2).reshape(n, c, 2 * h, 2 * w)[
        ..., : size[0], : size[1]
    ]
    spread = F.pad(spread, (0, size[1] - spread.shape[-1], 0, size[0] - spread.shape[-2]))
    return 4 * separable(spread, x.new_tensor(_TAPS), border="reflect")
