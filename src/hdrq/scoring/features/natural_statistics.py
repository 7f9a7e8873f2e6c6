"""Statistics of natural images: contrast-normalised luminance and the generalised Gaussians fitted to it."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.arithmetic import root
from hdrq.image.caching import cached
from hdrq.image.filters import Border, gaussian, pad, separable

# codes
ROUNDING = 1e-9
# of the local mean and deviation, in BRISQUE, NIQE and PIQE alike
WINDOW, SIGMA = 7, 7 / 6


def exact(codes: Tensor) -> Tensor:
    """Codes in float64, where those within 0.001 of a whole number are it: 8-bit codes came as k / 255."""
    wide = codes.double()
    away = wide.detach().round().sub_(wide.detach())
    return wide + away.masked_fill_(away.abs() > 1e-3, 0)


def mscn(x: Tensor, border: Border, settle: bool = False) -> Tensor:
    """Mean-subtracted, contrast-normalised codes: (x - local mean) / (local deviation + 1).

    x        (N, 1, H, W), codes 0..255. Use float64: the variance is a difference of large numbers.
    settle   differences from the local mean below ROUNDING count as 0
    Source   Ruderman 1994; the constant 1 supposes codes of 8-bit size
    """
    mean = _local_mean(x, border)
    power = separable(x * x, gaussian(WINDOW, SIGMA, x), border=border)
    away = x - mean
    if settle:
        away = away.where(away.abs() > ROUNDING, 0.0)
    return away / (root((power - mean * mean).abs()) + 1)


@cached(1)
def _window() -> np.ndarray:
    """7 x 7 Gaussian, divided by its sum twice as the authors do: its last digits matter, see _local_mean.

    cumsum adds one after the other; Python's sum compensates rounding from 3.12 on.
    """
    line = np.arange(WINDOW) - WINDOW // 2
    g = np.exp(-np.add.outer(line**2, line**2) / (2 * SIGMA * SIGMA))
    g /= np.cumsum(g.T.ravel())[-1]
    result: np.ndarray = g / np.cumsum(np.cumsum(g, 0)[-1])[-1]
    return result


def _local_mean(x: Tensor, border: Border) -> Tensor:
    """Weighted mean of 7 x 7 samples, added up in the very order of conv2 in Octave (which is OpenBLAS's axpy).

    In a flat sky x minus its mean is rounding error, 1e-14, and nothing else; yet its sign decides whether such
    samples count as left, right or neither in the fit of `asymmetric`. Only this order gives the authors' scores:
    another moves NIQE by up to 0.5 on 8-bit images. Full convolution ("zero") goes through the columns forwards,
    valid convolution (all else) backwards; both fuse multiply and add, but for the last rows beyond a multiple of 16.
    """
    h, w = x.shape[-2:]
    rest = h % 16 if border == "zero" else 0
    wide = pad(x, 3, 3, 3, 3, border)
    fused = F.pad(wide[..., : h + 3 - rest, :], (0, 0, 0, rest + 3)) if rest else wide
    total = torch.zeros_like(x)
    for j in range(WINDOW) if border == "zero" else reversed(range(WINDOW)):
        for i in reversed(range(WINDOW)):
            tap = float(_window()[i, j])
            total = total.add_(fused[..., i : i + h, j : j + w], alpha=tap)
            if rest:
                # the first row that sees one of the last `rest`
                low = max(h - rest + 3 - i, 0)
                total[..., low:, :] += wide[..., low + i : h + i, j : j + w] * tap
    return total


@cached(1)
def _shapes() -> tuple[np.ndarray, np.ndarray]:
    """(shape, mean |x|² / mean x² of a generalised Gaussian of that shape): the authors' grid, 0.2 to 10 by 0.001."""
    shape = 0.2 + 0.001 * np.arange(9801)
    one, two, three = (torch.lgamma(torch.from_numpy(k / shape)).numpy() for k in (1, 2, 3))
    return shape, np.exp(2 * two - one - three)


def _shape(ratio: Tensor, inverse: bool = False) -> Tensor:
    """Shape on the grid whose ratio (or its inverse, which BRISQUE compares) is nearest; any shape of tensor.

    The value has the grid's steps; the gradient is that of the curve behind it.
    """
    shape, curve = _shapes()
    grid, known, slope = (
        torch.as_tensor(a, device=ratio.device) for a in (shape, curve, np.gradient(curve, shape))
    )
    wanted = ratio.detach().to(known)
    right = torch.searchsorted(known, wanted).clamp(1, len(grid) - 1)
    below, above = known[right - 1], known[right]
    nearer = (
        (1 / wanted - 1 / above).abs() < (1 / below - 1 / wanted).abs()
        if inverse
        else above - wanted < wanted - below
    )
    at = torch.where(nearer, right, right - 1)
    return (grid[at] + (ratio - ratio.detach()) / slope[at]).to(ratio)


def gamma_ratio(shape: Tensor, over: float, under: float) -> Tensor:
    """Γ(over/shape) / Γ(under/shape)."""
    return torch.exp(torch.lgamma(over / shape) - torch.lgamma(under / shape))


def generalised(x: Tensor) -> tuple[Tensor, Tensor]:
    """(shape, variance) of the zero-mean generalised Gaussian that fits the last dimension, by moments."""
    variance = (x * x).mean(-1)
    ratio = x.abs().mean(-1) ** 2 / variance.where(variance > 0, variance.new_ones(()))
    return _shape(ratio, inverse=True), variance


def asymmetric(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(shape, left deviation, right deviation) of the asymmetric generalised Gaussian along the last dimension.

    A side without samples has deviation NaN, and the shape is then 0.2, the first of the grid.
    Source   Lasmar, Stitou, Berthoumieu 2009, doi:10.1109/ICIP.2009.5414404
    """
    below, above = x.clamp(max=0), x.clamp(min=0)
    left, right = (below * below).sum(-1), (above * above).sum(-1)
    lefts, rights = (x < 0).sum(-1), (x > 0).sum(-1)
    both = (lefts > 0) & (rights > 0)
    one, none = x.new_ones(()), x.new_full((), torch.nan)
    ratio = (above.sum(-1) - below.sum(-1)) ** 2 / (x.shape[-1] * (left + right)).where(both, one)
    left, right = root(left / lefts.clamp(min=1)), root(right / rights.clamp(min=1))
    skew = left / right.where(both, one)
    shape = _shape(ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2)
    return shape.where(both, 0.2 * one), left.where(lefts > 0, none), right.where(rights > 0, none)
