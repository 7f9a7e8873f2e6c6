"""From one value per patch to an image: the maps of learned metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.scoring.sampling.plan import Plan


def spread(values: Tensor, plan: Plan) -> Tensor:
    """(B, N) values spread over the pixels of their patches and summed, (B, 1, H, W) float64.

    A value is written at the four corners of its patch and the image is summed along both sides, so that
    large patches cost no more than small ones.
    """
    b = values.shape[0]
    h, w = plan.size
    scale = torch.from_numpy(plan.scales).to(values.device)
    first = plan.pixels().to(values.device) << scale[:, None]
    last = first + (plan.patch << scale)[:, None]
    plane = torch.arange(b, device=values.device)[:, None] * ((h + 1) * (w + 1))
    edges = values.new_zeros(b * (h + 1) * (w + 1), dtype=torch.float64)
    for rows, columns, sign in ((first, first, 1), (last, last, 1), (first, last, -1), (last, first, -1)):
        index = plane + rows[..., 0] * (w + 1) + columns[..., 1]
        edges.index_add_(0, index.flatten(), (sign * values.detach().double()).flatten())
    return edges.view(b, 1, h + 1, w + 1).cumsum(-1).cumsum(-2)[..., :h, :w]


def average(values: Tensor, plan: Plan) -> Tensor:
    """(B, N) values as a map (B, 1, H, W): the mean over the patches on a pixel, NaN where there is none."""
    covered = spread(torch.ones_like(values), plan).round()
    return torch.where(covered > 0, spread(values, plan) / covered, torch.nan).to(values.dtype)
