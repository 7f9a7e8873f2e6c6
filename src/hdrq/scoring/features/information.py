"""Models of the information metrics: the distortion channel and the Gaussian scale mixture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import strips


def distortion_channel(
    var_ref: Tensor, var_dist: Tensor, cov: Tensor, flat: float, area: int = 1
) -> tuple[Tensor, Tensor]:
    """(gain, variance of the noise) from (co)variances, themselves sums over `area` pixels.

    flat  variance below which an image counts as constant: without a seen reference everything is noise,
          without a test image nothing is. The programs leave that noise undivided by the area.
    """
    gain = cov / (var_ref + flat)
    noise = (var_dist - gain * cov) / area
    seen, alive = var_ref >= flat, var_dist >= flat
    gain, noise = torch.where(seen, gain, 0.0), torch.where(seen, noise, var_dist)
    return torch.where(alive, gain, 0.0), torch.where(alive, noise, 0.0)


def refuse_inverted(gain: Tensor, noise: Tensor, var_dist: Tensor, flat: float) -> tuple[Tensor, Tensor]:
    """The same with inverted contrast taken for noise, and some noise everywhere."""
    return gain.clamp(min=0), torch.where(gain < 0, var_dist, noise).clamp(min=flat)


def information_ratio(
    dist_nats: Tensor, ref_nats: Tensor, ref: Tensor, dist: Tensor, least: float = 0.0
) -> Tensor:
    """Information on the scene in the test image over that in the reference, (N,) each, nats; returns (N,).

    least  nats below which the reference counts as flat: then 1 where the images are the same, to 0.001 codes, else 0
    """
    same = ((ref - dist).detach().abs().amax((1, 2, 3)) < 1e-3).to(dist_nats)
    some = ref_nats > least
    return torch.where(some, dist_nats / torch.where(some, ref_nats, 1.0), same)


SIDE = 3


def moments(band: Tensor, parent: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (N, K) and mean square (N, K, K) of all neighbourhoods, float64, for the latter will be inverted.

    band    (N, 1, H, W)
    parent  (N, 1, H - 2, W - 2): a tenth coefficient that belongs to every neighbourhood
    """
    n, _, h, w = band.shape
    sums, squares = [], []
    for rows in strips(h - SIDE + 1, SIDE * SIDE * n * w, band):
        near = _near(band, parent, rows, 1).unflatten(-1, (-1, w - SIDE + 1)).transpose(1, 2)
        sums.append(near.sum(-1).double().sum(1))
        # row by row, so that float32 adds up short sums
        squares.append((near @ near.mT).double().sum(1))
    count = (h - SIDE + 1) * (w - SIDE + 1)
    return torch.stack(sums).sum(0) / count, torch.stack(squares).sum(0) / count


def strength(band: Tensor, covariance: Tensor, parent: Tensor | None = None, stride: int = 1) -> Tensor:
    """Maximum-likelihood strength of every neighbourhood, (N, 1, h, w), whitened by the covariance (N, K, K).

    stride  1 for every pixel, 3 for blocks that do not overlap
    """
    n, _, h, w = band.shape
    inverse = torch.linalg.pinv(covariance, hermitian=True).to(band)
    height, width = ((m - SIDE) // stride + 1 for m in (h, w))
    parts = []
    for rows in strips(height, SIDE * SIDE * n * width, band):
        near = _near(band, parent, rows, stride)
        parts.append(((inverse @ near) * near).sum(1) / near.shape[1])
    return torch.cat(parts, -1).reshape(n, 1, height, width)


def _near(band: Tensor, parent: Tensor | None, rows: slice, stride: int) -> Tensor:
    """Neighbourhoods as columns, (N, K, places), of a strip of rows of places."""
    near = F.unfold(band[..., rows.start * stride : (rows.stop - 1) * stride + SIDE, :], SIDE, stride=stride)
    return near if parent is None else torch.cat((near, parent[..., rows, :].flatten(2)), 1)
