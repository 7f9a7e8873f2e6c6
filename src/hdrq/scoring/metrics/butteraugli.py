"""Butteraugli, distance of nearly identical images."""

from __future__ import annotations

from math import sqrt
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.encoding.display_model import with_white
from hdrq.image.arithmetic import power, root
from hdrq.image.filters import pad
from hdrq.records import Display
from hdrq.scoring.features.butteraugli_bands import Bands, bands
from hdrq.scoring.features.malta import Lines, excess, malta

SMALLEST = 8
# shares of the map and of that of half the size
FINE, COARSE = 0.85, 0.5
# Along lines: (weight, contrast that hides a half) for X and Y; top over full lines, high and middle over sparse ones.
TOP = ((173.5, 5.0), (1.10039032555, 71.7800275169))
HIGH = ((6923.99476109, 8051.15833247), (18.7237414387, 4498534.45232))
MIDDLE = ((8246.75321353, 1009002.70582), (37.0819870399, 130262059.556))
MALTA_GAIN: dict[Lines, float] = {"full": 0.39905817637, "sparse": 0.611612573796}
# Of squared differences.
HIGH_SQUARED, MIDDLE_SQUARED = (400.0, 1.50815703118), (2150.0, 10.6195433239, 16.2176043152)
LOW_SQUARED = (29.2353797994, 0.844626970982, 0.703646627719)
MASK_SQUARED = 10.0
VISIBLE = 1 / (17.83 * 0.79079917404)
# of the mask's shape: gain, slope, offset
MASK_FINE = (2.5485944793, 0.451936922203, 0.829591754942)
MASK_LOW = (0.505054525019, 3.87449418804, 0.20025578522)


@metric(
    Card(
        title="Butteraugli, distance of nearly identical images",
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("display",),
        planes=90,
        source="Alakuijala et al., Google 2016; numbers as libjxl aea3a06",
    )
)
def butteraugli(
    ref: Tensor,
    dist: Tensor,
    *,
    pool: Literal["distance", "p-norm"] = "distance",
    p: float = 3.0,
    intensity_target: float | None = None,
    hf_asymmetry: float = 1.0,
    xmul: float = 1.0,
    display: Display | None = None,
) -> Reading:
    """Largest visible difference; about 1 is just visible; 0 for identical images.

    ref, dist  (N, 1 or 3, H, W), cd/m², BT.709. Below 8 pixels a side the edges are repeated up to it
    pool       distance: the maximum of the map. p-norm: mean of its norms p, 2p and 4p, as the tools' 3-norm
    intensity_target  cd/m² at which the white of an SDR display counts, its black as none (the tool takes 80 for SDR
                      files); as it stands, the light that leaves the display
    hf_asymmetry  above 1, artifacts count more than blur. xmul  weight of red-green differences
    map        the difference map, (N, 1, H, W)
    extra      the other pooling, as p_norm or distance

    The reference comes first: not symmetric. Two resolutions. float32 agrees with float64 to 1e-4.
    """
    white = float(intensity_target) if intensity_target is not None else None
    ref, dist = (_grown(with_white(x, display, white).expand(-1, 3, -1, -1)) for x in (ref, dist))
    found = _differences(ref, dist, hf_asymmetry, xmul)
    if min(ref.shape[-2:]) > 2 * SMALLEST - 2:
        half = _differences(_halve(ref), _halve(dist), hf_asymmetry, xmul)
        wide = half.repeat_interleave(2, -2).repeat_interleave(2, -1)
        found = FINE * found + COARSE * wide[..., : found.shape[-2], : found.shape[-1]]
    distance, norm = found.amax((1, 2, 3)), _norm(found, p)
    if pool == "distance":
        return Reading(distance, found, {"p_norm": norm})
    return Reading(norm, found, {"distance": distance})


def _grown(light: Tensor) -> Tensor:
    """Both sides at least 8, the image in the middle and its edges repeated."""
    h, w = light.shape[-2:]
    down, across = max(SMALLEST - h, 0), max(SMALLEST - w, 0)
    return pad(light, down // 2, down - down // 2, across // 2, across - across // 2, "replicate")


def _halve(light: Tensor) -> Tensor:
    """Mean of 2 x 2 pixels, of those there are at an odd edge."""
    return F.avg_pool2d(light, 2, ceil_mode=True, count_include_pad=False)


def _differences(ref: Tensor, dist: Tensor, asymmetry: float, xmul: float) -> Tensor:
    """The map at one resolution, (N, 1, H, W)."""
    a, b = bands(ref), bands(dist)
    fine, low = _fine(a, b, asymmetry), _squares(a.low, b.low, LOW_SQUARED)
    sums = [x[:, :1] * xmul + x[:, 1:2] + x[:, 2:] for x in (fine, low)]
    mask = _eroded(a.activity)
    return root(sums[0] * _visibility(mask, MASK_FINE) + sums[1] * _visibility(mask, MASK_LOW))


def _fine(a: Bands, b: Bands, asymmetry: float) -> Tensor:
    """(N, 3, H, W) of X, Y and B: energy of the differences in all bands but the lowest."""
    total = _squares(a.middle, b.middle, MIDDLE_SQUARED)
    parts = []
    for c in (0, 1):
        x = _malta(a.top, b.top, c, TOP, asymmetry, "full")
        x = x + _malta(a.high, b.high, c, HIGH, sqrt(asymmetry), "sparse")
        x = x + _malta(a.middle, b.middle, c, MIDDLE, 1.0, "sparse")
        ref, dist, weight = a.high[:, c : c + 1], b.high[:, c : c + 1], 0.8 * HIGH_SQUARED[c]
        x = x + weight * asymmetry * (ref - dist).square()
        parts.append(x + weight / asymmetry * excess(ref, dist, 0.4, 1.0).square())
    parts[1] = parts[1] + MASK_SQUARED * (a.activity - b.activity).square()
    return total + torch.cat((*parts, torch.zeros_like(parts[0])), 1)


def _malta(
    a: Tensor,
    b: Tensor,
    channel: int,
    constants: tuple[tuple[float, float], ...],
    asymmetry: float,
    lines: Lines,
) -> Tensor:
    weight, contrast = constants[channel]
    gain = MALTA_GAIN[lines] / 8.5 * contrast
    both, outside = gain * sqrt(0.5 * weight * asymmetry), gain * sqrt(0.33 * weight / asymmetry)
    # as libjxl
    rounded = float(np.float32(both)), float(np.float32(outside)), float(np.float32(contrast))
    return malta(a[:, channel : channel + 1], b[:, channel : channel + 1], rounded, lines)


def _squares(a: Tensor, b: Tensor, weights: tuple[float, ...]) -> Tensor:
    return (a - b).square() * a.new_tensor(weights).view(-1, 1, 1)


def _eroded(activity: Tensor) -> Tensor:
    """0.45, 0.3 and 0.25 of the three least of each value, twice its double, and its neighbours 3 pixels away."""
    h, w = activity.shape[-2:]
    wide = F.pad(activity, (3, 3, 3, 3), value=torch.inf)
    least, second, third = activity, 2 * activity, 2 * activity
    for dy in (0, 3, 6):
        for dx in (0, 3, 6):
            if (dy, dx) == (3, 3):
                continue
            near = wide[..., dy : dy + h, dx : dx + w]
            least, near = torch.minimum(least, near), torch.maximum(least, near)
            second, near = torch.minimum(second, near), torch.maximum(second, near)
            third = torch.minimum(third, near)
    return 0.45 * least + 0.3 * second + 0.25 * third


def _visibility(mask: Tensor, shape: tuple[float, float, float]) -> Tensor:
    gain, slope, offset = shape
    return (VISIBLE * (1 + gain / (slope * mask + offset))).square()


def _norm(found: Tensor, p: float) -> Tensor:
    """Mean of the norms p, 2p and 4p of each map, (N,)."""
    top = found.detach().amax((1, 2, 3), keepdim=True)
    x = power(found / torch.where(top > 0, top, 1.0), p)
    total = torch.zeros_like(top[:, 0, 0, 0])
    for k in (1, 2, 4):
        total = total + power(x.mean((1, 2, 3)), 1 / (k * p))
        x = x * x
    return total / 3 * top[:, 0, 0, 0]
