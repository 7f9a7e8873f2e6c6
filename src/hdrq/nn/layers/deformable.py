"""Modulated deformable convolution, and the alignment of features in a pyramid by such convolutions.

Sources  Zhu, Hu, Lin & Dai, CVPR 2019, doi:10.1109/CVPR.2019.00953; Wang et al., CVPR workshops 2019,
doi:10.1109/CVPRW.2019.00247 (EDVR: pyramid, cascading and deformable alignment)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# of a 3x3 kernel
_TAPS = 9
# of leaky ReLU
SLOPE = 0.1


class DeformableConv(nn.Module):
    """3x3 convolution whose taps are displaced and weighted; both are predicted from other features."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width, 3, 3))
        self.bias = nn.Parameter(torch.zeros(width))
        self.predict = nn.Conv2d(width, groups * 3 * _TAPS, 3, padding=1)
        self.groups = groups
        if not self.weight.is_meta:
            nn.init.kaiming_uniform_(self.weight, a=5**0.5)
            for p in self.predict.parameters():
                nn.init.zeros_(p)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        n, c, h, w = x.shape
        predicted = self.predict(other)
        at = 2 * self.groups * _TAPS
        shift = predicted[:, :at].reshape(n, self.groups, _TAPS, 2, h, w)
        share = torch.sigmoid(predicted[:, at:]).reshape(n, self.groups, 1, _TAPS, h, w)
        parts = x.reshape(n * self.groups, c // self.groups, h, w)
        rows = torch.arange(h, device=x.device, dtype=x.dtype)[:, None]
        columns = torch.arange(w, device=x.device, dtype=x.dtype)
        total = self.bias.reshape(1, -1, 1, 1).expand(n, -1, h, w)
        for tap in range(_TAPS):
            y = rows + tap // 3 - 1 + shift[:, :, tap, 0]
            z = columns + tap % 3 - 1 + shift[:, :, tap, 1]
            grid = torch.stack([2 * z / max(w - 1, 1) - 1, 2 * y / max(h - 1, 1) - 1], -1)
            read = F.grid_sample(parts, grid.flatten(0, 1), mode="bilinear", align_corners=True)
            read = read.reshape(n, self.groups, -1, h, w) * share[:, :, :, tap]
            kernel = self.weight[:, :, tap // 3, tap % 3, None, None]
            total = total + F.conv2d(read.reshape(n, c, h, w), kernel)
        return total


class Level(nn.Module):
    """One level of the pyramid: displacements from both frames and the coarser level, then aligned features."""

    def __init__(self, width: int, groups: int, coarsest: bool) -> None:
        super().__init__()
        self.compare = nn.Conv2d(2 * width, width, 3, padding=1)
        self.join = None if coarsest else nn.Conv2d(2 * width, width, 3, padding=1)
        self.shift = nn.Conv2d(width, width, 3, padding=1)
        self.align = DeformableConv(width, groups)
        self.fuse = None if coarsest else nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(
        self, frame: Tensor, reference: Tensor, coarser: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """(displacement features, aligned features before the activation)."""
        shift = F.leaky_relu(self.compare(torch.cat([frame, reference], 1)), SLOPE)
        if coarser is not None and self.join is not None:
            shift = F.leaky_relu(self.join(torch.cat([shift, _twice(coarser[0]) * 2], 1)), SLOPE)
        shift = F.leaky_relu(self.shift(shift), SLOPE)
        aligned = self.align(frame, shift)
        if coarser is not None and self.fuse is not None:
            aligned = self.fuse(torch.cat([aligned, _twice(coarser[1])], 1))
        return shift, aligned


class PyramidAlignment(nn.Module):
    """Features of a frame at full, half and quarter size, aligned to those of a reference; sides are multiples of 4."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(Level(width, groups, coarsest=k == 2) for k in range(3))
        self.last = Level(width, groups, coarsest=True)

    def forward(self, frame: list[Tensor], reference: list[Tensor]) -> Tensor:
        shift, aligned = self.levels[2](frame[2], reference[2], None)
        for k in (1, 0):
            shift, aligned = self.levels[k](frame[k], reference[k], (shift, F.leaky_relu(aligned, SLOPE)))
        return F.leaky_relu(self.last(aligned, reference[0], None)[1], SLOPE)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
