"""ColorVideoVDP's maps of visible differences, in colours over a tone-mapped image (threshold and supra-threshold).

Source: version 0.5.7 of the authors' program, from its output.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.scoring.features.cvvdp.quality import jod

Heatmap = Literal["raw", "threshold", "supra-threshold"]

# JOD lost / 10 and the colour there, divided by its luminance before use
NODES: dict[str, tuple[tuple[float, ...], tuple[tuple[float, float, float], ...]]] = {
    "threshold": (
        (0.0, 0.025, 0.05, 0.075, 0.1),
        ((0.2, 0.2, 1.0), (0.2, 1.0, 1.0), (0.2, 1.0, 0.2), (1.0, 1.0, 0.2), (1.0, 0.2, 0.2)),
    ),
    "supra-threshold": ((0.0, 0.15, 0.3), ((0.2, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 0.2))),
}
LUMINANCE = (0.212656, 0.715158, 0.072186)
FLAT, BINS = 0.6, 1024  # natural log units of a flat image; bins of the histogram


def drawn(seen: Tensor, luminance: Tensor, heatmap: Heatmap, *, repaired: bool = False) -> Tensor:
    """A frame's map: (1, H, W) of JOD lost, as a share of 10, or (3, H, W) of display code 0..1.

    seen       pooled difference (1, H, W), before jod()
    luminance  (1, H, W), cd/m², of the image that colours lie over
    repaired   the program goes on in a straight line from the last colour and then clips, which shows strong errors in
               colours that the legend lacks, and rounds colours to float16 before it multiplies them by the grey image;
               repaired=True stays at the last colour and rounds nothing
    """
    raw = 1 - jod(seen) / 10
    if heatmap == "raw":
        return raw
    x = raw.clamp(0, 1)
    steps, colours = NODES[heatmap]
    rgb, nodes = x.new_tensor(colours), x.new_tensor(steps)
    rgb = rgb / ((rgb @ x.new_tensor(LUMINANCE))[:, None] + 1e-4)
    at = (torch.bucketize(x, nodes, right=True) - 1).clamp(0, len(steps) - 2)
    share = ((x - nodes[at]) / (nodes[at + 1] - nodes[at] + 1e-6)).clamp(min=0)
    if repaired:
        share = share.clamp(max=1)
    low, high = (rgb[i][0].movedim(-1, 0) for i in (at, at + 1))
    mixed = low * (1 - share) + high * share
    if not repaired:
        mixed = mixed.half().to(x.dtype)
    return (mixed * backdrop(luminance)).clamp(0, 1)


def backdrop(luminance: Tensor) -> Tensor:
    """Grey image 0.2 .. 0.8 of luminance, (1, H, W): its logarithm, or its histogram flattened by a cube root."""
    positive = luminance[luminance > 0]
    b = luminance.clamp(min=float(positive.min()) if positive.numel() else 1.0).log()
    low, high = float(b.min()), float(b.max())
    if high - low < FLAT:
        return (b - low) / (high - low + 1e-3) * 0.6 + 0.2
    counts = torch.histc(b, BINS, low, high)
    rises = (counts / counts.sum()) ** (1 / 3)
    curve = (rises / rises.sum()).cumsum(0) * 0.6 + 0.2
    at = (b - low) / (high - low) * (BINS - 1)
    index = at.int().clamp(0, BINS - 2)
    share, index = at - index, index.flatten()
    return torch.lerp(
        curve.index_select(0, index).view_as(at), curve.index_select(0, index + 1).view_as(at), share
    )
