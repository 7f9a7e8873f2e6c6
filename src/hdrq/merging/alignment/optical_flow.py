"""Dense displacement between two aligned frames, for parallax and moving objects.

TV-L1 optical flow. Source: Zach, Pock & Bischof, DAGM 2007,
doi:10.1007/978-3-540-74936-3_22. Where either frame is clipped, there is no data term and the smoothness term decides.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.warp import sample

# λ, θ, τ for codes 0..255
DATA, TIGHT, STEP = 0.15, 0.3, 0.25


def tv_flow(
    fixed: Tensor,
    moving: Tensor,
    seen_f: Tensor,
    seen_m: Tensor,
    *,
    warps: int = 4,
    rounds: int = 25,
    pixels: int = 250_000,
) -> Tensor:
    """(2, H, W) displacement (dx, dy) in pixels: fixed at (x, y) corresponds to moving at (x + dx, y + dy).

    fixed, moving  (1, H, W) grey codes 0..255 with matched histograms
    seen_*         (1, H, W) 1 where the frame is neither clipped nor missing
    pixels         largest size of the finest level that is solved; finer levels are interpolated
    """
    size = fixed.shape[-2:]
    levels = [[a.float() for a in (fixed, moving, seen_f, seen_m)]]
    while levels[-1][0][0].numel() > pixels:
        levels[-1] = [_half(a) for a in levels[-1]]
    while min(levels[-1][0].shape[-2:]) >= 40:
        levels.append([_half(a) for a in levels[-1]])
    flow = torch.zeros(2, *levels[-1][0].shape[-2:], device=fixed.device)
    for a, b, seen_a, seen_b in reversed(levels):
        flow = _refine(a, b, seen_a, seen_b, _resized(flow, a.shape[-2:]), warps, rounds)
    return _resized(flow, size)


def _half(image: Tensor) -> Tensor:
    return F.avg_pool2d(image[None], 2, ceil_mode=True, count_include_pad=False)[0]


def _resized(flow: Tensor, size: torch.Size) -> Tensor:
    """Displacements on another grid, in pixels of that grid."""
    h, w = flow.shape[-2:]
    scale = torch.tensor([size[1] / w, size[0] / h], device=flow.device)[:, None, None]
    return F.interpolate(flow[None], size=tuple(size), mode="bilinear", align_corners=False)[0] * scale


def _slopes(image: Tensor) -> tuple[Tensor, Tensor]:
    p = F.pad(image[None], (1, 1, 1, 1), mode="replicate")[0]
    return (p[:, 1:-1, 2:] - p[:, 1:-1, :-2]) / 2, (p[:, 2:, 1:-1] - p[:, :-2, 1:-1]) / 2


def _refine(
    fixed: Tensor, moving: Tensor, seen_f: Tensor, seen_m: Tensor, flow: Tensor, warps: int, rounds: int
) -> Tensor:
    """Primal-dual iterations at one level, linearised again for each of `warps`."""
    h, w = fixed.shape[-2:]
    y, x = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float32, device=fixed.device) for n in (h, w)), indexing="ij"
    )
    layers = torch.cat([moving, *_slopes(moving), seen_m])
    dual = torch.zeros(2, 2, h, w, device=fixed.device)
    for _ in range(warps):
        at_x, at_y = x + flow[0], y + flow[1]
        now = sample(layers, at_x, at_y, "bilinear")
        known = (
            (now[3:] > 0.99) & (seen_f > 0.99) & (at_x >= 0) & (at_x <= w - 1) & (at_y >= 0) & (at_y <= h - 1)
        )
        slope = now[1:3] * known
        steep = slope.square().sum(0, keepdim=True)
        rest = (now[:1] - fixed) * known - (slope * flow).sum(0, keepdim=True)
        for _ in range(rounds):
            miss = rest + (slope * flow).sum(0, keepdim=True)
            edge = DATA * TIGHT * steep
            move = torch.where(
                miss < -edge, DATA * TIGHT, torch.where(miss > edge, -DATA * TIGHT, -miss / (steep + 1e-6))
            )
            aim = flow + move * slope
            flow = aim + TIGHT * _divergence(dual)
            right = F.pad(flow[:, :, 1:] - flow[:, :, :-1], (0, 1))
            down = F.pad(flow[:, 1:] - flow[:, :-1], (0, 0, 0, 1))
            up = torch.stack([right, down], 1)
            dual = (dual + STEP / TIGHT * up) / (1 + STEP / TIGHT * up.square().sum(1, keepdim=True).sqrt())
        flow = _median3(flow)
    return flow


def _divergence(dual: Tensor) -> Tensor:
    """(2, 2, H, W) dual fields to (2, H, W); adjoint of forward differences."""
    p, q = dual[:, 0], dual[:, 1]
    dx = torch.cat([p[:, :, :1], p[:, :, 1:-1] - p[:, :, :-2], -p[:, :, -2:-1]], 2)
    dy = torch.cat([q[:, :1], q[:, 1:-1] - q[:, :-2], -q[:, -2:-1]], 1)
    return dx + dy


def _median3(flow: Tensor) -> Tensor:
    """3x3 median, which removes outliers between warps. Source: Sun, Roth & Black, CVPR 2010."""
    p = F.pad(flow[None], (1, 1, 1, 1), mode="replicate")[0]
    h, w = flow.shape[-2:]
    nine = torch.stack([p[:, i : i + h, j : j + w] for i in range(3) for j in range(3)])
    return nine.median(0).values
