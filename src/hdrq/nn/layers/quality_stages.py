"""The network of NoR-VDPNet, NoR-VDPNet++ and DIQM: stages of two convolutions, global average pooling, a regressor."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["none", "batch", "instance", "layer"]
WIDTHS = (32, 64, 128, 256, 512)
# default training settings of these networks
TRAINING: dict[str, Any] = {
    "input": "crops",
    "crop": 256,
    "white": "sdr",
    "loss": {"mae": 1.0, "pearson": 0.1},
    "rate": 3e-4,
    "schedule": "cosine",
    "warmup": 0.02,
    "epochs": 30,
}


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.GroupNorm(1, channels) if kind == "layer" else nn.Identity()


class Stage(nn.Module):
    """Two 3x3 convolutions with normalisation and ReLU, then max pooling; the second may be a ReZero residual.

    Source of ReZero: Bachlechner et al., doi:10.48550/arXiv.2003.04887
    """

    def __init__(self, entering: int, width: int, norm: Norm, rezero: bool, stride: int) -> None:
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(entering, width, 3, padding=1), _norm(norm, width)
        self.second = nn.Conv2d(width, width, 3, stride, padding=1)
        self.norm2 = nn.Identity() if rezero else _norm(norm, width)
        self.alpha = nn.Parameter(torch.zeros(1)) if rezero else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(_normed(self.first, self.norm1, x))
        y = _normed(self.second, self.norm2, x)
        if self.alpha is None:
            # equivalent to the other order, with a quarter of the values
            return F.relu(F.max_pool2d(y, 2))
        return F.max_pool2d(x + self.alpha * F.relu(y), 2)


def _normed(conv: nn.Conv2d, norm: nn.Module, x: Tensor) -> Tensor:
    """norm(conv(x)); in eval mode, batch normalisation is folded into the filters."""
    weight, bias = _channels_last(conv.weight), conv.bias
    if norm.training or not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None:
        result: Tensor = norm(F.conv2d(x, weight, bias, conv.stride, conv.padding))
        return result
    gain = norm.weight * (norm.running_var + norm.eps).rsqrt()
    bias = (bias - norm.running_mean) * gain + norm.bias  # type: ignore[operator]
    return F.conv2d(x, weight * gain[:, None, None, None], bias, conv.stride, conv.padding)


def _channels_last(x: Tensor) -> Tensor:
    """Channels-last memory format, the fastest on CPUs for few channels; set by strides where C is 1."""
    n, c, h, w = x.shape
    if c == 1 and x.is_contiguous():
        return x.as_strided((n, c, h, w), (h * w, 1, w, 1))
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _as_edges(filters: Tensor) -> None:
    """Initialise the first filters with zero mean and a larger gain, as edge detectors; training is about twice as fast."""
    # values come from a file
    if filters.is_meta:
        return
    filters -= filters.mean((2, 3), keepdim=True)
    filters *= 4


class QualityStages(nn.Module):
    """(B, C, H, W) code, sides of at least 64, to (B,) quality; 1 is best, clipped to [0, 1] outside training.

    channels     1 luminance, 3 colour, 6 a reference and its test image
    last_stride  stride of the last convolution; 2 in the published NoR-VDPNet of 2024 and type C of ++
    widths       channels of the stages; the regressor's hidden layer is half the last
    """

    def __init__(
        self,
        channels: int = 1,
        norm: Norm = "none",
        rezero: bool = False,
        last_stride: int = 1,
        sigmoid: bool = True,
        widths: tuple[int, ...] = WIDTHS,
    ) -> None:
        super().__init__()
        entering = (channels, *widths[:-1])
        strides = [1] * (len(widths) - 1) + [last_stride]
        self.stages = nn.ModuleList(
            Stage(a, b, norm, rezero, s) for a, b, s in zip(entering, widths, strides)
        )
        self.head = nn.Sequential(
            nn.Linear(widths[-1], widths[-1] // 2), nn.ReLU(), nn.Linear(widths[-1] // 2, 1)
        )
        self.channels, self.sigmoid = channels, sigmoid
        _as_edges(self.stages[0].first.weight)  # type: ignore[union-attr, arg-type]

    def features(self, x: Tensor) -> Tensor:
        """(B, widths[-1]): spatial mean of the last stage."""
        x = _channels_last(x)
        for stage in self.stages:
            x = stage(x)
        return x.mean((2, 3))

    def forward(self, x: Tensor, dist: Tensor | None = None) -> Tensor:
        """Quality of x, or, for two images, of the second compared with the first."""
        x = x if dist is None else torch.cat([x, dist], 1)
        q = self.head(self.features(x))[:, 0]
        q = q.sigmoid() if self.sigmoid else q
        result: Tensor = q if self.training else q.clamp(0, 1)
        return result
