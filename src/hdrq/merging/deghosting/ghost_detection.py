"""Detection of motion between exposures, and choice of the frame to use there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import window
from hdrq.merging.alignment.mtb import TOLERANCE

# pixels: of the square that removes isolated pixels, of dilation, of the soft edge
RADIUS, GROW, FEATHER = 2, 3, 3
# share of that square which must disagree
CROWD = 0.45
# pixels over which the mask looks
REACH = 2 * RADIUS + GROW + FEATHER


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
    from scipy.ndimage import binary_dilation, binary_erosion, label

    ones = zeros = np.zeros((1, 1), bool)
    for image in greys:
        cut = int(np.median(image))
        if ones.shape != image.shape:
            ones = zeros = np.zeros(image.shape, bool)
        if not TOLERANCE < cut < 255 - TOLERANCE:
            continue
        ones = ones | (image > cut + TOLERANCE)
        zeros = zeros | (image < cut - TOLERANCE)
    moved = ones & zeros
    moved = binary_dilation(moved, disk(grow)) if grow > 1 else moved
    moved = binary_erosion(moved, disk(shrink), border_value=1) if shrink > 1 else moved
    labels, count = label(moved)
    return labels.astype(np.int32), int(count)


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


def disagrees(
    low: Tensor,
    high: Tensor,
    noise: Tensor,
    agreeing: Tensor,
    known_low: Tensor,
    known_high: Tensor,
    at: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """Whether some pixels of a frame contradict the radiance known so far by more than is tolerated, (n,) bool.

    low, high              (n,) range of the radiance that the frame allows
    noise, agreeing        (n,) tolerated difference, and 1 minus the tolerated relative deviation
    known_low, known_high  (C, H, W) range that is known: the light may lie in the range of the eight neighbours, for
                           errors of registration
    at                     channel, row and column of the pixels in the known range
    """
    floor, roof = _least_and_largest(known_low, known_high, *at)
    return (floor * agreeing - high > noise) | (low * agreeing - roof > noise)


def _least_and_largest(low: Tensor, high: Tensor, c: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The least of `low` and the largest of `high`, (C, H, W) both, in 3 x 3 pixels around some."""
    _, height, width = low.shape
    low, high = low.reshape(-1), high.reshape(-1)
    floor, roof = (torch.full_like(x, end, dtype=low.dtype) for end in (torch.inf, -torch.inf))
    for down in (-1, 0, 1):
        row = (c * height + (y + down).clamp(0, height - 1)) * width
        for right in (-1, 0, 1):
            near = row + (x + right).clamp(0, width - 1)
            floor = torch.minimum(floor, low.index_select(0, near))
            roof = torch.maximum(roof, high.index_select(0, near))
    return floor, roof


def ghost_mask(over: Tensor) -> Tensor:
    """A soft mask 0..1 from pixels that disagree (H, W) bool: isolated ones removed, closed, dilated and feathered."""
    mask = torch.zeros(over.shape)
    dense = crowded(over.numpy())
    rows, columns = (np.flatnonzero(dense.any(axis)) for axis in (1, 0))
    if not len(rows):
        return mask
    reach = RADIUS + GROW + FEATHER
    box = tuple(slice(max(0, int(at[0]) - reach), int(at[-1]) + reach + 1) for at in (rows, columns))
    part = torch.from_numpy(dense[box].astype(np.float32))[None]
    mask[box] = smooth(spread(part, RADIUS + GROW), FEATHER)[0]
    return mask


def crowded(over: np.ndarray) -> np.ndarray:
    """Where more than CROWD of a square of 2 RADIUS + 1 pixels are True, (H, W) bool; borders are repeated."""
    h, w = over.shape
    side = 2 * RADIUS + 1
    counts = np.pad(over.view(np.uint8), RADIUS, mode="edge")
    counts = sum((counts[i : i + h] for i in range(1, side)), counts[:h])
    counts = sum((counts[:, i : i + w] for i in range(1, side)), counts[:, :w])
    result: np.ndarray = counts > int(CROWD * side * side)
    return result
