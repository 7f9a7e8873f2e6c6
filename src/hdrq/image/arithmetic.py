"""Powers and roots with finite gradients, a check for NaN and Inf, searches, and codes: whole numbers, their counts and sums."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# values that stay in the processor's cache
PIECE = 65_536


def power(x: Tensor, exponent: float) -> Tensor:
    """x to a power in (0, 1]. The gradient at 0 is 0 instead of infinite; negative x gives 0; NaN stays NaN."""
    if not x.requires_grad:
        return x.clamp(min=0) ** exponent
    positive = ~(x <= 0)
    return (x.where(positive, x.new_ones(())) ** exponent).where(positive, x.new_zeros(()))


def root(x: Tensor) -> Tensor:
    """Square root. The gradient at 0 is 0 instead of infinite; negative x gives 0; NaN stays NaN."""
    return power(x, 0.5) if x.requires_grad else x.clamp(min=0).sqrt_()


def all_finite(x: Tensor) -> bool:
    """Whether x, of any shape, holds neither NaN nor Inf.

    A NaN or Inf makes the sum non-finite, so a finite sum proves that there is none. When the sum overflows, every
    element is tested, which takes 25 times as long.
    """
    return bool(torch.isfinite(x.sum())) or bool(torch.isfinite(x).all())


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
