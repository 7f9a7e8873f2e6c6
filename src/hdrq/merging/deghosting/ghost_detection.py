"""Detection of motion between exposures, and choice of the frame to use there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_dilation, binary_erosion, label
from torch import Tensor

from hdrq.image.filters import window
from hdrq.merging.alignment.mtb import TOLERANCE


def disk(size: int) -> np.ndarray:
    """Boolean disk of odd diameter."""
    r = size // 2
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    result: np.ndarray = y * y + x * x <= r * r
    return result


def moving_clusters(greys: Iterable[np.ndarray], grow: int = 17, shrink: int = 3) -> tuple[np.ndarray, int]:
    """(labels (H, W), count): connected regions where threshold bitmaps of aligned frames differ; 0 is static.

    greys  aligned frames (H, W) uint8; frames without a usable median (all dark, all white) are ignored
    grow, shrink  diameters of the disks for dilation and erosion of the raw map

    Source: Pece & Kautz, "Bitmap movement detection: HDR for dynamic scenes", CVMP 2010, doi:10.1109/CVMP.2010.8.
    Pixels near a frame's median are excluded for that frame (in the paper they are included, and noise appears as motion).
    """
    ones = zeros = np.zeros((1, 1), bool)
    for image in greys:
        cut = int(np.median(image))
        if ones.shape != image.shape:
            ones = zeros = np.zeros(image.shape, bool)
        if not TOLERANCE < cut < 255 - TOLERANCE:
            continue
        ones = ones | (image > cut + TOLERANCE)
        zeros = zeros | (image < cut - TOLERANCE)
    moved = _dilated(ones & zeros, grow)
    moved = binary_erosion(moved, disk(shrink), border_value=1) if shrink > 1 else moved
    labels, count = label(moved)
    return labels.astype(np.int32), int(count)


def _dilated(mask: np.ndarray, size: int) -> np.ndarray:
    return binary_dilation(mask, disk(size)) if size > 1 else mask


def spread(x: Tensor, radius: int) -> Tensor:
    """Maximum over a square of 2 radius + 1 pixels, (C, H, W), by doubling, ten times as fast as pooling."""
    side = 2 * radius + 1
    x = F.pad(x, (radius,) * 4, value=-torch.inf)
    for dim in (-2, -1):
        span = 1
        while span < side:
            step = min(span, side - span)
            n = x.shape[dim] - step
            x = torch.maximum(x.narrow(dim, 0, n), x.narrow(dim, step, n))
            span += step
    return x


def smooth(x: Tensor, radius: int) -> Tensor:
    """Mean of a square of 2 radius + 1 pixels, (C, H, W), borders repeated."""
    side = 2 * radius + 1
    return window(F.pad(x[None], (radius,) * 4, mode="replicate")[0], (1 / side,) * side)


def disagreement(
    low: Tensor,
    high: Tensor,
    variance: Tensor,
    known_low: Tensor,
    known_high: Tensor,
    known_variance: Tensor,
    *,
    sigmas: float = 3.0,
    tolerance: float | Tensor = 0.12,
    slack: int = 1,
) -> Tensor:
    """Difference of a frame from the known radiance, in tolerances (above 1: moved), (1, H, W).

    low, high              (C, H, W) the frame's radiance in both where it is well exposed. Where it is clipped at white,
                           only a lower bound is known: low is infinite (any larger light is consistent), high the bound;
                           where it is too dark, high is 0 and low the bound
    known_low, known_high  range of the radiance known so far: from 0, to infinity where it was clipped
    variance               of both;  sigmas: standard deviations that are tolerated
    tolerance              relative error that is tolerated in addition, for errors of response and registration
    slack                  tolerated misregistration, pixels: the light may lie in the range of its neighbours
    """
    floor, roof = -spread(-known_low, slack), spread(known_high, slack)
    noise = sigmas * (variance + known_variance).sqrt()
    short = (floor - low - noise) / (tolerance * floor).clamp(min=1e-12)
    excess = (high - roof - noise) / (tolerance * high).clamp(min=1e-12)
    return torch.maximum(short, excess).nan_to_num(0, posinf=0, neginf=0).clamp(0, 8).amax(0, keepdim=True)


def ghost_mask(over: Tensor, radius: int = 2, grow: int = 3, feather: int = 3) -> Tensor:
    """A soft mask 0..1 from the differences: isolated pixels removed, closed, dilated and feathered, (1, H, W)."""
    dense = (smooth((over > 1).float(), radius) > 0.45).float()
    core = spread(dense, radius + grow)
    return smooth(core, feather)
