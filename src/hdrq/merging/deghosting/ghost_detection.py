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
    known_low: Tensor,
    known_high: Tensor,
    noise: Tensor,
    agreeing: Tensor,
    rows: slice,
) -> Tensor:
    """Where a frame contradicts the radiance known so far by more than is tolerated, in any channel, (h, W) bool.

    low, high              (C, h, W) range of the radiance that the frame allows
    known_low, known_high  (C, H, W) range that is known, of these rows and of the rows above and below where they exist:
                           the light may lie in the range of the eight neighbours, for errors of registration
    noise, agreeing        (C, h, W) tolerated difference, and 1 minus the tolerated relative deviation
    rows                   of known_low that are rows of the frame's strip
    """
    short = (known_low[:, rows] * agreeing).sub_(high)
    excess = (low * agreeing).sub_(known_high[:, rows])
    # Few: only these see their neighbours.
    at = (torch.maximum(short, excess).sub_(noise) > 0).nonzero(as_tuple=True)
    floor, roof = _least_and_largest(known_low, known_high, at[0], at[1] + rows.start, at[2])
    kept, tolerated = agreeing[at], noise[at]
    sure = (floor * kept - high[at] > tolerated) | (low[at] * kept - roof > tolerated)
    found = torch.zeros(low.shape[1:], dtype=torch.bool, device=low.device)
    found[at[1][sure], at[2][sure]] = True
    return found


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
    """A soft mask 0..1 from pixels that disagree (1, H, W), 1 or 0: isolated ones removed, closed, dilated and feathered."""
    dense = (smooth(over, RADIUS) > 0.45).float()
    return smooth(spread(dense, RADIUS + GROW), FEATHER) if dense.any() else dense
