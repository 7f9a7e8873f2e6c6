"""The guided filter: an average that follows the edges of a guide."""

from __future__ import annotations

from torch import Tensor

from hdrq.ops.windows import pad


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over (2 radius + 1)² pixels, mirrored at the borders, whatever the radius costs the same."""
    side = 2 * radius + 1
    for dim in (-2, -1):
        edges = (radius + 1, radius, 0, 0) if dim == -2 else (0, 0, radius + 1, radius)
        sums = pad(x, *edges, "symmetric").double().cumsum(dim)
        n = x.shape[dim]
        x = ((sums.narrow(dim, side, n) - sums.narrow(dim, 0, n)) / side).to(x.dtype)
    return x


def guided_filter(x: Tensor, guide: Tensor, radius: int, smallest: float) -> Tensor:
    """x, guide (N, 1, H, W). Steps of the guide well above sqrt(smallest) stay, those below are averaged.

    Source: He, Sun & Tang 2010, doi:10.1007/978-3-642-15549-9_1
    """
    mean_g, mean_x = box_mean(guide, radius), box_mean(x, radius)
    variance = (box_mean(guide * guide, radius) - mean_g**2).clamp(min=0)
    shared = box_mean(guide * x, radius) - mean_g * mean_x
    slope = shared / (variance + smallest)
    return box_mean(slope, radius) * guide + box_mean(mean_x - slope * mean_g, radius)
