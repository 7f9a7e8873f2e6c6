"""The steps that undo a camera in SingleHDR: quantisation, response curve, and a last refinement.

Source  Liu, Lai, Chen, Kao, Yang, Chuang & Huang, CVPR 2020, doi:10.1109/CVPR42600.2020.00172
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.image.filters import pad
from hdrq.nn.layers.tensorflow import Norm, same

# of the inverse response
LEVELS = 1024
# principal curves of inverse responses
CURVES = 11
# of the soft histograms of every pixel
_BINS = (4, 8, 16)
# of leaky ReLU
_SLOPE = 0.1
# of batch normalisation
_EPS = 1e-3
# Blocks of ResNet-18's first stages with bottlenecks: name of the block, width, stride.
_BLOCKS = (("2a", 64, 1), ("2b", 64, 1), ("2c", 64, 1), ("3a", 128, 2), ("3b", 128, 1))
BLOCKS = tuple(name for name, _, _ in _BLOCKS)


class Unet(nn.Module):
    """Two convolutions a size, four halvings by the mean of 2x2 pixels, and as many doublings; sides are multiples of 16.

    deepest  channels of the smallest size
    """

    def __init__(self, entering: int, width: int, deepest: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, deepest]
        sides = (7, 5, 3, 3, 3)
        self.down = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(entering if k == 0 and i == 0 else widths[k - 1] if i == 0 else w, w, s, padding=s // 2)
                for i in range(2)
            )
            for k, (w, s) in enumerate(zip(widths, sides))
        )  # fmt: skip
        self.up = nn.ModuleList(
            nn.ModuleList([nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(2 * b, b, 3, padding=1)])
            for a, b in pairwise(widths[::-1])
        )
        self.end = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for k, step in enumerate(self.down):
            x = F.avg_pool2d(x, 2) if k else x
            for conv in step:  # type: ignore[attr-defined]
                x = F.leaky_relu(conv(x), _SLOPE)
            skips.append(x)
        skips.pop()
        for step in self.up:
            x = F.leaky_relu(step[0](_doubled(x)), _SLOPE)  # type: ignore[index]
            x = F.leaky_relu(step[1](torch.cat([x, skips.pop()], 1)), _SLOPE)  # type: ignore[index]
        result: Tensor = self.end(x)
        return result


def _doubled(x: Tensor) -> Tensor:
    """Bilinear interpolation in which even pixels are those of the input, as in TensorFlow 1."""
    for dim in (-2, -1):
        after = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, x.shape[dim] - 1, 1)], dim)
        x = torch.stack([x, (x + after) / 2], dim if dim == -1 else -2)
        x = x.flatten(-2) if dim == -1 else x.flatten(-3, -2)
    return x


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution with batch norm; the stride is in the first of them."""

    def __init__(self, entering: int, width: int, stride: int, shortcut: bool) -> None:
        super().__init__()
        shapes = ((entering, width, 1), (width, width, 3), (width, 4 * width, 1))
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, side, stride if k == 0 else 1, side // 2, bias=False)
            for k, (a, b, side) in enumerate(shapes)
        )
        self.norms = nn.ModuleList(Norm(b, _EPS) for _, b, _ in shapes)
        self.shortcut = nn.Conv2d(entering, 4 * width, 1, stride, bias=False) if shortcut else None
        self.shortcut_norm = Norm(4 * width, _EPS) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for k, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            y = norm(conv(y))
            y = F.relu(y) if k < 2 else y
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return F.relu(x + y)


class InverseResponse(nn.Module):
    """(B, 3, H, W) code 0..1 to the camera's inverse response (B, 1024), rising from 0 to 1.

    The curve is the mean of measured inverse responses plus a sum of their principal curves (Grossberg & Nayar 2004), which
    are stored with the weights.
    """

    def __init__(self) -> None:
        super().__init__()
        entering = 3 + 6 + 3 * sum(bins + 1 for bins in _BINS)
        self.enter = nn.Conv2d(entering, 64, 7, 2)
        self.enter_norm = Norm(64, _EPS)
        widths = [64, *(4 * width for _, width, _ in _BLOCKS)]
        self.blocks = nn.ModuleList(
            Bottleneck(before, width, stride, before != 4 * width)
            for before, (_, width, stride) in zip(widths, _BLOCKS)
        )
        self.weigh = nn.Linear(widths[-1], CURVES)
        self.mean_curve = nn.Parameter(torch.linspace(0, 1, LEVELS), requires_grad=False)
        self.curves = nn.Parameter(torch.zeros(LEVELS, CURVES), requires_grad=False)

    def forward(self, code: Tensor) -> Tensor:
        x = torch.cat([code, edges(code), *(soft_histogram(code, bins) for bins in _BINS)], 1)
        x = F.relu(self.enter_norm(self.enter(same(x, 7, 2))))
        x = F.max_pool2d(same(x, 3, 2, value=-torch.inf), 3, 2)
        for block in self.blocks:
            x = block(x)
        curve = self.mean_curve + self.weigh(x.mean((-2, -1))) @ self.curves.mT
        return rising(curve)


def edges(code: Tensor) -> Tensor:
    """(B, 6, H, W): vertical and horizontal Sobel differences of every channel, unnormalised, borders reflected."""
    p = pad(code, 1, 1, 1, 1, "reflect" if min(code.shape[-2:]) > 1 else "replicate")
    smooth = p[..., :-2] + 2 * p[..., 1:-1] + p[..., 2:]
    vertical = smooth[..., 2:, :] - smooth[..., :-2, :]
    tall = p[..., :-2, :] + 2 * p[..., 1:-1, :] + p[..., 2:, :]
    horizontal = tall[..., 2:] - tall[..., :-2]
    return torch.stack([vertical, horizontal], 2).flatten(1, 2)


def soft_histogram(code: Tensor, bins: int) -> Tensor:
    """(B, 3 (bins + 1), H, W): how near every channel is to 0, 1/bins, ... 1; 1 at the value, 0 at its neighbours."""
    return torch.cat([F.relu(1 - (code - i / bins).abs() * bins) for i in range(bins + 1)], 1)


def rising(curve: Tensor) -> Tensor:
    """A curve that does not fall, from 0 to 1: its steps, less the smallest where that is negative, scaled to a sum of 1."""
    step = curve.diff(dim=-1)
    step = step + F.relu(-step.amin(-1, keepdim=True))
    total = step / step.sum(-1, keepdim=True)
    return F.pad(total.cumsum(-1), (1, 0))


def through(curve: Tensor, code: Tensor) -> Tensor:
    """Values of a curve (B, LEVELS) at codes 0..1, interpolated linearly."""
    at = code.flatten(1) * (curve.shape[-1] - 1)
    low = at.floor().long().clamp(0, curve.shape[-1] - 2)
    share = at - low
    below, above = curve.gather(1, low), curve.gather(1, low + 1)
    return (below + share * (above - below)).reshape(code.shape)
