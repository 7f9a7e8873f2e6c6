"""Segments of connected pixels of similar luminance, and the adaptation luminance of an eye that looks at one.

Source: Yee & Pattanaik 2003, doi:10.1007/s00371-003-0211-5, as described in the docstrings.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

_FINE, _COARSE = 0.5, 2.0  # log10 units of a category in the first layer and in the last


def adaptation(luminance: Tensor, layers: int = 32, smallest: float = 0.001) -> Tensor:
    """Adaptation luminance (N, 1, H, W) of luminance (N, 1, H, W) > 0, in its unit.

    Every layer divides log10 luminance into categories, 0.5 log units wide in the first layer and 2 in the last. Connected
    pixels of one category are a group; groups below `smallest` of the pixels are merged with the nearest larger one. A pixel's
    adaptation is the mean over the layers of the mean logarithms of its groups.
    """
    return torch.cat([_of_one(frame[None], layers, smallest) for frame in luminance])


def _of_one(luminance: Tensor, layers: int, smallest: float) -> Tensor:
    logs = luminance.clamp(min=1e-9).log10()
    flat = logs.flatten()
    seen = logs.detach()[0, 0].double().cpu().numpy()
    total = torch.zeros_like(flat)
    for k in range(layers):
        width = _FINE + (_COARSE - _FINE) * k / max(layers - 1, 1)
        groups = torch.from_numpy(groups_of(seen, width, smallest)).to(flat.device).flatten()
        count = torch.bincount(groups).to(flat.dtype)
        sums = torch.zeros_like(count).index_add(0, groups, flat)
        total = total + (sums / count.clamp(min=1))[groups]
    result: Tensor = (10 ** (total / layers)).view_as(logs)
    return result


def groups_of(logs: np.ndarray, width: float, smallest: float) -> np.ndarray:
    """(H, W) numbers of groups: connected pixels (four neighbours) of one category, counted from the least logarithm."""
    category = np.floor((logs - logs.min()) / width + 1e-9).astype(np.int64)
    groups = np.zeros(category.shape, np.int64)
    found = 0
    for value in np.unique(category):
        marks, count = label(category == value)
        groups[marks > 0] = marks[marks > 0] + found
        found += count
    small = np.bincount(groups.ravel())[groups] < smallest * groups.size
    if small.any() and not small.all():
        nearest = distance_transform_edt(small, return_distances=False, return_indices=True)
        groups = groups[tuple(nearest)]
    return groups
