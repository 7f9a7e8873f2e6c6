"""What moved between exposures, and which frame to trust there."""

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
    """(labels (H, W), how many): connected places where threshold bitmaps of aligned frames disagree; 0 is still.

    greys  aligned frames (H, W) uint8; frames without a usable median (all dark, all white) have no say
    grow, shrink  diameters of the disks the raw map is dilated and eroded by

    Source: Pece & Kautz, "Bitmap movement detection: HDR for dynamic scenes", CVMP 2010, doi:10.1109/CVMP.2010.8.
    Pixels near a frame's median are left out of that frame's vote (the paper counts them, and noise moves).
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
    """Largest value within a square of 2 radius + 1 pixels, (C, H, W); spans double, which beats pooling tenfold."""
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
    """How far a frame is from what is known of the scene, in tolerances (above 1: moved), (1, H, W).

    low, high              (C, H, W) the frame's radiance, twice, where it is seen. Where it clipped at white, only that
                           it lies above a bound is known: low is infinite (any larger light would fit), high the bound;
                           where it is too dark, high is 0 and low the bound
    known_low, known_high  the same light's range as known so far: from 0, to infinity where it was clipped
    variance               of both;  sigmas: standard deviations that are forgiven
    tolerance              relative error that is forgiven besides, for what response and registration leave
    slack                  pixels of misregistration forgiven: the light may lie anywhere in its neighbours' range
    """
    floor, roof = -spread(-known_low, slack), spread(known_high, slack)
    noise = sigmas * (variance + known_variance).sqrt()
    short = (floor - low - noise) / (tolerance * floor).clamp(min=1e-12)
    excess = (high - roof - noise) / (tolerance * high).clamp(min=1e-12)
    return torch.maximum(short, excess).nan_to_num(0, posinf=0, neginf=0).clamp(0, 8).amax(0, keepdim=True)


def ghost_mask(over: Tensor, radius: int = 2, grow: int = 3, feather: int = 3) -> Tensor:
    """Disagreement to a soft mask 0..1: lone pixels dropped, the rest closed, grown and feathered, (1, H, W)."""
    dense = (smooth((over > 1).float(), radius) > 0.45).float()
    core = spread(dense, radius + grow)
    return smooth(core, feather)
