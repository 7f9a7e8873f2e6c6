"""A small network that predicts the parameters of a tone mapping operator for a scene.

It reads a histogram and quantiles of log luminance and a thumbnail of it, all relative to the geometric mean, so that its answer
does not depend on the unit or the size of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.image.color import LUMINANCE, weigh
from hdrq.nn.net import Net, mix, pattern

# pixels of the longer side of the image that the statistics use
_SIDE = 256
# pixels of a side
_THUMBNAIL = 32
# stops around the geometric mean
_LOW, _HIGH, _BINS = -12.0, 12.0, 48
_SHARES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)
# stops that become 1 in the network's input
_SCALE = 6.0


class ToneParameters(nn.Module):
    """Statistics and thumbnail to one coordinate a parameter, in which 0 is the middle of its range.

    operator    that the parameters are of; parameters  [name, low, high] of each, on the logarithm where decades are spanned
    start       coordinates that a new network gives for every image
    """

    def __init__(
        self,
        operator: str = "",
        parameters: Sequence[Sequence[Any]] = (("value", 0.0, 1.0),),
        start: Sequence[float] = (),
        width: int = 32,
    ) -> None:
        super().__init__()
        self.operator, self.parameters_ = operator, [tuple(p) for p in parameters]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, 2, 1)
            for a, b in ((1, width // 4), (width // 4, width // 2), (width // 2, width))
        )
        self.mix = nn.Linear(_BINS + len(_SHARES) + width, 2 * width)
        self.hidden = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, len(self.parameters_))
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.copy_(torch.tensor(list(start) or [0.0] * len(self.parameters_)))

    def forward(self, light: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) linear light in any unit to coordinates (N, P)."""
        stops = relative_stops(light)
        x = F.adaptive_avg_pool2d(stops, _THUMBNAIL) / _SCALE
        for conv in self.convs:
            x = F.relu(conv(x))
        seen = torch.cat([histogram(stops), quantiles(stops) / _SCALE, x.mean((2, 3))], 1)
        places: Tensor = self.head(F.relu(self.hidden(F.relu(self.mix(seen)))))
        return places


def relative_stops(light: Tensor) -> Tensor:
    """log2 of luminance over its geometric mean, of the image reduced to 256 pixels, (N, 1, h, w); black is -12."""
    y = weigh(light, LUMINANCE) if light.shape[1] == 3 else light
    factor = -(-max(y.shape[-2:]) // _SIDE)
    if factor > 1:
        y = F.avg_pool2d(y, min(factor, *y.shape[-2:]), ceil_mode=True)
    lit = y > 0
    logs = torch.where(lit, y.clamp(min=1e-30).log2(), 0.0)
    mean = logs.sum((1, 2, 3), keepdim=True) / lit.sum((1, 2, 3), keepdim=True).clamp(min=1)
    return torch.where(lit, logs - mean, _LOW).clamp(_LOW, _HIGH)


def histogram(stops: Tensor) -> Tensor:
    """Shares of the pixels in half stops from -12 to 12, times the number of bins, (N, 48)."""
    place = ((stops.flatten(1) - _LOW) / (_HIGH - _LOW) * _BINS).long().clamp(max=_BINS - 1)
    counts = torch.zeros(len(stops), _BINS, dtype=stops.dtype, device=stops.device)
    ones = torch.ones((), dtype=stops.dtype, device=stops.device).expand_as(place)
    return counts.scatter_add_(1, place, ones) * (_BINS / place.shape[1])


def quantiles(stops: Tensor) -> Tensor:
    """Ten quantiles of stops, from 0.1 % to the largest, (N, 10)."""
    flat = stops.flatten(1).sort(1).values
    at = [round(share * (flat.shape[1] - 1)) for share in _SHARES]
    return flat[:, at]


tone_parameters = Net(
    name="tone-parameters",
    source="this project",
    build=ToneParameters,
    layouts=(),
    witness=lambda net: mix(net(pattern(1, 3, 40, 48) ** 4 * 100)),
    side=1,
    small={"width": 8},
)
