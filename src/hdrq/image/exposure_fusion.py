"""Exposure fusion: images of different exposures are blended in Laplacian pyramids, without an estimate of radiance.

Source: Mertens, Kautz & Van Reeth 2007, doi:10.1109/PG.2007.17; borders, greyscale and size rules as in OpenCV 5.0 or
HDR Toolbox 5375d05 ("toolbox").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.filters import pad

Variant = Literal["opencv", "toolbox"]
TINY = 1e-12
# of the Gaussian around mid-grey
_SIGMA = 0.2
# half of the binomial kernel, from the end to the centre
_TAPS = (1 / 16, 4 / 16, 6 / 16)


def fuse(
    stack: Sequence[Tensor],
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposedness: float = 1.0,
    variant: Variant = "opencv",
) -> Tensor:
    """One image blended from several images of code 0..1, each (N, C, H, W). Not clipped: values slightly outside 0..1 occur.

    variant  "toolbox" rescales the result so that its minimum is 0 and its maximum 1
    """
    weights = [quality(code, contrast, saturation, exposedness, variant) for code in stack]
    total = torch.stack(weights).sum(0)
    blend = Blend((stack[0].shape[-2], stack[0].shape[-1]), variant)
    for code, weight in zip(stack, weights):
        blend.add(code, weight / total)
    out = blend.result()
    if variant == "opencv":
        return out
    low, high = out.amin((1, 2, 3), keepdim=True), out.amax((1, 2, 3), keepdim=True)
    return (out - low) / (high - low).clamp(min=TINY)


def quality(
    code: Tensor,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposedness: float = 1.0,
    variant: Variant = "opencv",
) -> Tensor:
    """Weight of every pixel, (N, 1, H, W): the product of contrast, saturation and well-exposedness.

    Contrast is |Laplacian| of grey, saturation the standard deviation of the channels, well-exposedness a Gaussian around
    mid-grey. code is (N, C, H, W), 0..1. In float32 the order of OpenCV's sums is kept: where all frames are flat, its
    rounding decides the weights.
    """
    toolbox = variant == "toolbox"
    if code.shape[1] == 1:
        grey, spread = code, None
    else:
        r, g, b = code.split(1, 1)
        mean = (r + g + b) * (1 / 3)
        grey = mean if toolbox else _plus(_plus(g * 0.587, r, 0.299), b, 0.114)
        spread = (r - mean).square() + (g - mean).square() + (b - mean).square()
        spread = spread / 3 if toolbox else spread
    p = pad(grey, 1, 1, 1, 1, "symmetric" if toolbox else "reflect")
    bent = ((p[..., :-2, 1:-1] + p[..., 1:-1, :-2]) - 4 * grey + p[..., 1:-1, 2:]) + p[..., 2:, 1:-1]
    near = torch.exp(-(code - 0.5).square() / (2 * _SIGMA**2)).prod(1, keepdim=True)
    near = near**3 if spread is None else near
    vivid = torch.ones_like(grey) if spread is None else _power(spread, 0.5)
    return _power(bent.abs(), contrast) * _power(vivid, saturation) * near**exposedness + TINY


def _plus(total: Tensor, x: Tensor, factor: float) -> Tensor:
    """total + factor x, rounded once, as by a fused multiply-add instruction."""
    if x.dtype != torch.float32:
        return total + factor * x
    exact = torch.tensor(factor, dtype=torch.float32).double().item()
    return (total.double() + exact * x.double()).float()


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x >= 0; the gradient at 0 is 0 instead of infinite."""
    if exponent == 1:
        return x
    some = x > 0
    return torch.where(some, torch.where(some, x, 1) ** exponent, 0.0 if exponent else 1.0)


class Blend:
    """Laplacian pyramids of the frames, summed with Gaussian pyramids of their weights."""

    def __init__(self, size: tuple[int, int], variant: Variant = "opencv") -> None:
        self.variant = variant
        self.levels = max(0, min(size).bit_length() - 1)
        self.sums: list[Tensor] = []

    def add(self, code: Tensor, weight: Tensor) -> None:
        """code (..., C, H, W);  weight (..., 1, H, W); the weights of all frames sum to 1."""
        for level in range(self.levels + 1):
            if level < self.levels:
                small = shrink(code, self.variant)
                detail = code - grow(small, (code.shape[-2], code.shape[-1]), self.variant)
            else:
                small, detail = code, code
            part = detail * weight
            if len(self.sums) <= level:
                self.sums.append(part)
            else:
                self.sums[level] = self.sums[level] + part
            code = small
            if level < self.levels:
                weight = shrink(weight, self.variant)

    def result(self) -> Tensor:
        """(..., C, H, W) code, which may lie outside 0..1."""
        out = self.sums[-1]
        for detail in reversed(self.sums[:-1]):
            out = detail + grow(out, (detail.shape[-2], detail.shape[-1]), self.variant)
        return out


def shrink(x: Tensor, variant: Variant = "opencv") -> Tensor:
    """Blur (..., H, W) and keep every second pixel."""
    border = "reflect" if variant == "opencv" else "symmetric"
    return _blurred(_blurred(x, -2, border, 2), -1, border, 2)


def grow(x: Tensor, size: tuple[int, int], variant: Variant = "opencv") -> Tensor:
    """Upsample to (height, width): insert zeros, blur, multiply by 4; the last row and column repeat.

    "toolbox": nearest-neighbour upsampling by Octave's rule, then the same blur.
    """
    if variant == "toolbox":
        near = x[..., _nearest(x.shape[-2], size[0], x), :][..., _nearest(x.shape[-1], size[1], x)]
        return _blur(near, "symmetric")
    return _doubled(_doubled(x, size[0], -2), size[1], -1)


def _blur(x: Tensor, border: str) -> Tensor:
    """Blur with the 5 x 5 binomial kernel."""
    return _blurred(_blurred(x, -2, border), -1, border)


def _blurred(x: Tensor, dim: int, border: str, every: int = 1) -> Tensor:
    """Blur along one dimension with the binomial kernel of 5 taps. every  2: only every second sample."""
    n = x.shape[dim]
    at = _beyond(n, border, x.device)
    # most samples lie within, where a copy is faster than indices
    wide = torch.cat([x.index_select(dim, at[:2]), x, x.index_select(dim, at[-2:])], dim)
    # rows can be left out at no cost
    step = every if dim == -2 else 1
    a, b, c, d, e = (wide.narrow(dim, k, n)[..., ::step, :] for k in range(5))
    result = (a + e).mul_(_TAPS[0]).add_((b + d).mul_(_TAPS[1])).add_(_TAPS[2] * c)
    return result[..., ::every] if dim == -1 else result


def _beyond(n: int, border: str, device: torch.device) -> Tensor:
    """Indices -2 .. n + 1 of a line of n samples; "reflect" does not repeat the edge sample, "symmetric" does."""
    i = torch.arange(-2, n + 2, device=device)
    if n == 1:
        return torch.zeros_like(i)
    if border == "symmetric":
        i = i % (2 * n)
        return torch.where(i < n, i, 2 * n - 1 - i)
    i = i % (2 * n - 2)
    return torch.where(i < n, i, 2 * n - 2 - i)


def _nearest(n: int, out: int, like: Tensor) -> Tensor:
    """Index of the input sample, of n, that each of `out` samples repeats, by the rounding of Octave's imresize."""
    scale = out / n
    k = torch.arange(1, out + 1, dtype=torch.float64)
    at = (k / scale + 0.5 * (1 - 1 / scale) + 0.5).floor().long() - 1
    return at.clamp(0, n - 1).to(like.device)


def _doubled(x: Tensor, n: int, dim: int) -> Tensor:
    """Twice as many samples along dimension -2 or -1, of which the first n are kept."""
    m = x.shape[dim]
    before = torch.cat([x.narrow(dim, min(1, m - 1), 1), x.narrow(dim, 0, m - 1)], dim)
    after = torch.cat([x.narrow(dim, 1, m - 1), x.narrow(dim, m - 1, 1)], dim)
    even, odd = before.add_(6 * x).add_(after).div_(8), (x + after).div_(2)
    out = torch.stack([even, odd], x.dim() + dim + 1).flatten(dim - 1, dim)
    return out.narrow(dim, 0, n)
