"""Errors of pixels and one number of their map: means, decibels, percentiles, and percentiles weighted by the error."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log10
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.arithmetic import root
from hdrq.image.filters import joined, strips

# samples whose differences stay in the nearest caches
_AT_ONCE = 1 << 16
Pool = Literal["mean", "rms", "median", "p95", "p99", "max"]
WeightedPool = Literal["mean", "median", "q1", "q3", "min", "max"]
_PERCENT = {"median": 50.0, "p95": 95.0, "p99": 99.0}
_SHARES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


def mean_square(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean of (ref - dist)² over channels and pixels, (N,)."""
    recording = torch.is_grad_enabled() and (ref.requires_grad or dist.requires_grad)
    if recording or ref.device.type != "cpu":
        return _pool(ref, dist, torch.square)
    return torch.stack([_dot(*pair) for pair in zip(ref.flatten(1), dist.flatten(1))]) / ref[0].numel()


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum of (a - b)² of (P,), piece by piece through one buffer."""
    buffer = a.new_empty(min(_AT_ONCE, len(a)))
    sums = []
    for x, y in zip(a.split(_AT_ONCE), b.split(_AT_ONCE)):
        away = torch.sub(x, y, out=buffer[: len(x)])
        sums.append(torch.dot(away, away))
    return torch.stack(sums).sum()


def mean_absolute(ref: Tensor, dist: Tensor) -> Tensor:
    """Mean of |ref - dist| over channels and pixels, (N,)."""
    return _pool(ref, dist, torch.abs)


def _pool(ref: Tensor, dist: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    n, c, h, w = ref.shape
    sums = [of(ref[..., rows, :] - dist[..., rows, :]).sum((1, 2, 3)) for rows in strips(h, n * c * w, ref)]
    return torch.stack(sums).sum(0) / (c * h * w)


def decibels(error: Tensor, peak: float = 1.0) -> Tensor:
    """10 log10(peak / error), of any shape; infinite, with a gradient of zero, where there is no error."""
    differs = error > 0
    value = 10 * log10(peak) - 10 * torch.log10(torch.where(differs, error, 1.0))
    return torch.where(differs, value, inf)


def pool(errors: Tensor, how: Pool) -> Tensor:
    """(N, 1, H, W) to (N,); percentiles lie on straight lines between the sorted values, as numpy's."""
    flat = errors.flatten(1)
    if how == "mean":
        return flat.mean(1)
    if how == "rms":
        return root(flat.square().mean(1))
    if how == "max":
        return flat.amax(1)
    return percentile(flat, _PERCENT[how])


def percentile(flat: Tensor, percent: float) -> Tensor:
    """Of every row of (N, P), interpolated between the two nearest ranks; (N,)."""
    place = percent / 100 * (flat.shape[1] - 1)
    low = int(place)
    below = flat.kthvalue(low + 1, dim=1).values
    if low == place:
        return below
    above = flat.kthvalue(low + 2, dim=1).values
    return below + (above - below) * (place - low)


def weighted_pool(errors: Tensor, how: WeightedPool) -> Tensor:
    """(N, 1, H, W) to (N,), where q1, median and q3 are weighted by the error (Ray Tracing Gems II, chapter 19).

    They are the first of the ascending errors at which the running sum exceeds 25, 50 or 75 % of the whole sum,
    so that pixels without an error do not count. Sums are made in float64.
    """
    flat = errors.flatten(1)
    if how == "mean":
        return flat.mean(1)
    if how in ("min", "max"):
        return flat.amin(1) if how == "min" else flat.amax(1)
    ascending = flat.sort(dim=1).values
    sums = ascending.detach().double().cumsum(1)
    first = (sums <= _SHARES[how] * sums[:, -1:]).sum(1, keepdim=True).clamp(max=flat.shape[1] - 1)
    return ascending.gather(1, first)[:, 0]


def by_rows(function: Callable[..., Tensor], *images: Tensor) -> Tensor:
    """function(*images) for a function that treats every pixel alone, in strips of rows that stay in the cache.

    images   (N, C, H, W) of one height; where a gradient is recorded, the whole image is one strip
    """
    height, width = images[0].shape[-2:]
    recording = torch.is_grad_enabled() and any(i.requires_grad for i in images)
    if recording:
        return function(*images)
    row = width * len(images[0]) * sum(i.shape[1] for i in images)
    return joined(
        (function(*(i[..., rows, :] for i in images)) for rows in strips(height, row, images[0])), height
    )


def over_rows(function: Callable[[Tensor], Tensor], image: Tensor, channels: int) -> Tensor:
    """The same for one image that may be overwritten: the result takes its place if it has as many `channels`."""
    if image.shape[1] != channels or (torch.is_grad_enabled() and image.requires_grad):
        return by_rows(function, image)
    for rows in strips(image.shape[-2], image.shape[-1] * len(image) * channels, image):
        image[..., rows, :] = function(image[..., rows, :])
    return image
