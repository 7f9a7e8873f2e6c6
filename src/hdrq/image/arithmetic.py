"""Powers and roots with finite gradients, a check for NaN and Inf, searches, and codes: whole numbers, their counts and sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

# values that stay in the processor's cache
PIECE = 65_536
# powers that torch computes without a logarithm
_PLAIN = (0.5, 1.0, 2.0, 3.0)


def in_place(x: Tensor) -> bool:
    """Whether results computed from x may be overwritten and made piece by piece: float32 on the CPU, no gradient.

    There, torch's `pow`, comparisons and `where` take several times as long as logarithms, exponentials and clamping.
    """
    return x.dtype == torch.float32 and x.device.type == "cpu" and not x.requires_grad


def power(x: Tensor, exponent: float | Tensor) -> Tensor:
    """x to a positive power. The gradient at 0 is 0, where a root has an infinite one; negative x gives 0; NaN stays NaN.

    float32 is computed as exp(exponent ln x), with and without gradient, in a third of the time on the CPU; its relative
    error is below 1.5e-7 (1 + |exponent ln x|).
    """
    if not x.requires_grad:
        return _raised(x.clamp(min=0), exponent)
    positive = ~(x <= 0)
    return _raised(x.where(positive, x.new_ones(())), exponent).where(positive, x.new_zeros(()))


def _raised(x: Tensor, exponent: float | Tensor) -> Tensor:
    plain = isinstance(exponent, float | int) and exponent in _PLAIN
    if plain or x.dtype != torch.float32:
        return x if plain and exponent == 1 else x**exponent
    if x.requires_grad or (isinstance(exponent, Tensor) and exponent.requires_grad):
        return (x.log() * exponent).exp()
    # x is power's own
    return x.log_().mul_(exponent).exp_()


def joined(low: Tensor, high: Tensor, edge: float) -> Tensor:
    """low below the edge and high above it: the parts of a rising curve without a step.

    Within the edge's own rounding the same as torch.where, in a fifth of the time on the CPU.
    """
    return (high - edge).clamp(min=0) + low.clamp(max=edge)


def root(x: Tensor) -> Tensor:
    """Square root. The gradient at 0 is 0 instead of infinite; negative x gives 0; NaN stays NaN."""
    return power(x, 0.5) if x.requires_grad else x.clamp(min=0).sqrt_()


def all_finite(x: Tensor) -> bool:
    """Whether x, of any shape, holds neither NaN nor Inf.

    A NaN or Inf makes the sum non-finite, so a finite sum proves that there is none. When the sum overflows, every
    element is tested, which takes 25 times as long.
    """
    return bool(torch.isfinite(x.sum())) or bool(torch.isfinite(x).all())


def extremes(x: Tensor) -> tuple[float, float]:
    """The least and the greatest value; both NaN if x holds one; 0 and 0 if it is empty."""
    if not x.numel():
        return 0.0, 0.0
    least, greatest = torch.aminmax(x.detach())
    return float(least), float(greatest)


def smallest(x: Tensor, k: int) -> Tensor:
    """(N,): the k-th smallest of each line of (N, n), counted from 1; by numpy, three times as fast, without gradient."""
    if x.device.type != "cpu" or x.requires_grad or x.dtype not in (torch.float32, torch.float64):
        return x.kthvalue(k, 1).values
    return torch.from_numpy(np.partition(x.numpy(), k - 1, 1)[:, k - 1].copy())


def in_order(x: Tensor) -> Tensor:
    """x (n,), rising; by numpy, ten times as fast, on the CPU without gradient."""
    if x.device.type != "cpu" or x.requires_grad or x.dtype not in (torch.float32, torch.float64):
        return x.sort().values
    return torch.from_numpy(np.sort(x.numpy()))


def limited(x: Tensor, low: float, high: float) -> Tensor:
    """x clamped; x itself where no value is beyond the limits, which is found out in half the time."""
    if in_place(x):
        least, greatest = extremes(x)
        if least >= low and greatest <= high:
            return x
    return x.clamp(low, high)


def in_strips(f: Callable[..., Tensor], *images: Tensor) -> Tensor:
    """f(*images) for a function that computes every pixel by itself, on strips of rows.

    Intermediate results then stay in the processor's cache, so that each operation takes a fraction of its time.

    images  (..., C, H, W), of one height and width; others are not divided
    """
    if images[0].dim() < 3:
        return f(*images)
    h, w = images[0].shape[-2:]
    most = max(i[..., :1, :].numel() for i in images)
    rows = max(1, PIECE // max(most, 1))
    if rows >= h or w == 0 or not all(in_place(i) for i in images):
        return f(*images)
    strips = (slice(y, y + rows) for y in range(0, h, rows))
    first = f(*(i[..., :rows, :] for i in images))
    if first.requires_grad:
        return f(*images)
    result = first.new_empty((*first.shape[:-2], h, w))
    result[..., next(strips), :] = first
    for at in strips:
        result[..., at, :] = f(*(i[..., at, :] for i in images))
    return result


def positive(x: Tensor) -> Tensor:
    """Flat indices (n,) int64, rising, of the values of x above 0, for x of any shape, float or bool.

    On the CPU numpy searches, which takes a fifth of the time of torch's nonzero.
    """
    if x.device.type != "cpu":
        return (x.reshape(-1) > 0).nonzero()[:, 0]
    values = x.detach().numpy()
    return torch.from_numpy(np.flatnonzero(values if values.dtype == bool else values > 0))


def outside(low: Tensor, high: Tensor, floor: Tensor, roof: Tensor) -> Tensor:
    """Flat indices (n,) int64, rising, where low > roof or high < floor, all of one shape; by numpy on the CPU, as `positive`."""
    if low.device.type != "cpu":
        return positive((low > roof) | (high < floor))
    above, below = (
        low.detach().numpy() > roof.detach().numpy(),
        high.detach().numpy() < floor.detach().numpy(),
    )
    return positive(torch.from_numpy(np.logical_or(above, below, out=above)))


def histogram(image: np.ndarray) -> np.ndarray:
    """(256,) int64 counts of the codes of a uint8 array of any shape; six times as fast as numpy's bincount."""
    flat = torch.from_numpy(np.ascontiguousarray(image).reshape(-1))
    counts: np.ndarray = torch.bincount(flat, minlength=256).numpy()
    return counts


def sums_of_four(image: np.ndarray) -> np.ndarray:
    """(H // 2, W // 2) uint16 sums of 2 x 2 pixels of (H, W) uint8; an odd last row or column is dropped."""
    h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    # two neighbours, in either order
    pairs = np.ascontiguousarray(image[:h, :w]).view(np.uint16)
    pairs = (pairs & 255) + (pairs >> 8)
    result: np.ndarray = pairs[::2] + pairs[1::2]
    return result


def whole_codes(pixels: Tensor, kind: type[np.uint8 | np.uint16]) -> np.ndarray:
    """Pixels 0..1, of any shape, as the nearest codes of `kind`; in pieces that stay in the processor's cache."""
    flat, most = pixels.reshape(-1), int(np.iinfo(kind).max)
    codes = np.empty(flat.shape, kind)
    for a in range(0, len(codes), PIECE):
        part = flat[a : a + PIECE] * most
        codes[a : a + PIECE] = part.round_().clamp_(0, most).numpy()
    return codes.reshape(pixels.shape)
