"""The error map of FLIP: how different two images look when an observer alternates between them.

Andersson, Nilsson, Akenine-Möller, Oskarsson, Åström, Fairchild 2020, doi:10.1145/3406183; numbers as flip-evaluator 1.7.
"""

from __future__ import annotations

from math import ceil, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import in_place, joined, power, root
from hdrq.image.caching import cached
from hdrq.image.color import mix
from hdrq.image.filters import pad, slide

# exponents of the colour and of the feature difference
QC, QF = 0.7, 0.5
# where the colour difference bends, and to what
PC, PT = 0.4, 0.95
# width of the edges that observers notice
EDGE_DEGREES = 0.082
# the largest scale parameter below sets the radius of all filters
_RADIUS_SCALE = 0.04

# a and b of a sqrt(pi / b) exp(-(pi x)² / b), x in degrees: luminance, red-green, and the two of blue-yellow.
_SENSITIVITY = (((1.0, 0.0047),), ((1.0, 0.0053),), ((34.1, 0.04), (13.5, 0.025)))

_TO_XYZ = np.array(
    [
        [10135552 / 24577794, 8788810 / 24577794, 4435075 / 24577794],
        [2613072 / 12288897, 8788810 / 12288897, 887015 / 12288897],
        [1425312 / 73733382, 8788810 / 73733382, 70074185 / 73733382],
    ]
)
_FROM_XYZ = np.array(
    [
        [3.241003275, -1.537398934, -0.498615861],
        [-0.969224334, 1.875930071, 0.041554224],
        [0.055639423, -0.204011202, 1.057148933],
    ]
)
_WHITE = np.array([0.950428545, 1.0, 1.088900371])
_PER_WHITE = np.array([1.052156925, 1.0, 0.918357670])

# Relative XYZ to the linear opponent space YCxCz without its factors 116, 500, 200 and the offset 16, which filters
# of sum 1 do not change: (y, x - y, y - z).
_OPPONENT = np.array([[0.0, 1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
_TO_OPPONENT = _OPPONENT @ np.diag(_PER_WHITE) @ _TO_XYZ
_FROM_OPPONENT = _FROM_XYZ @ np.diag(_WHITE) @ np.linalg.inv(_OPPONENT)
_TO_RELATIVE = np.diag(_PER_WHITE) @ _TO_XYZ
# of CIELAB's cube root
_EDGE = 6 / 29


def flip_error(ref: Tensor, dist: Tensor, ppd: float) -> Tensor:
    """Linear BT.709 RGB, (N, 3, H, W), clipped to 0..1, to errors (N, 1, H, W), 0..1.

    ppd  pixels per degree
    """
    opponents = [mix(image.clamp(0, 1), _TO_OPPONENT) for image in (ref, dist)]
    colour = _colour_difference(*(_seen(o, ppd) for o in opponents))
    feature = _feature_difference(opponents[0][:, :1], opponents[1][:, :1], ppd)
    if in_place(colour):
        # 0 where the colours are equal, whatever the exponent is
        return colour.sign() * (colour.clamp(min=1e-30).log_() * (1 - feature)).exp_()
    differs = colour > 0
    return torch.where(differs, torch.where(differs, colour, 1.0) ** (1 - feature), 0.0)


def _seen(opponent: Tensor, ppd: float) -> Tensor:
    """Hunt-adjusted CIELAB of what contrast sensitivity leaves of an image, (N, 3, H, W)."""
    filtered = []
    for plane, kernels in zip(opponent.split(1, 1), _sensitivity_kernels(ppd)):
        reach = len(kernels[0]) // 2
        wide = pad(plane, reach, reach, reach, reach, "replicate")
        parts = [_twice(wide, k) for k in kernels]
        filtered.append(parts[0] if len(parts) == 1 else parts[0] + parts[1])
    rgb = mix(torch.cat(filtered, 1), _FROM_OPPONENT).clamp(0, 1)
    return _hunt_lab(mix(rgb, _TO_RELATIVE))


def _twice(wide: Tensor, kernel: tuple[float, ...]) -> Tensor:
    """The same kernel across and down; taps too small for the precision are left out."""
    taps = _significant(kernel, torch.finfo(wide.dtype).eps)
    cut = (len(kernel) - len(taps)) // 2
    if cut:
        wide = wide[..., cut:-cut, cut:-cut]
    return slide(slide(wide, taps, -1), taps, -2)


@cached(64)
def _significant(kernel: tuple[float, ...], eps: float) -> tuple[float, ...]:
    """A symmetric kernel without the ends whose sum is below a sixteenth of the precision."""
    sizes, cut = np.abs(kernel), 0
    while 2 * sizes[: cut + 1].sum() < eps / 16 * sizes.sum():
        cut += 1
    return kernel[cut : len(kernel) - cut]


@cached(16)
def _sensitivity_kernels(ppd: float) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """For each opponent plane one or two kernels whose outer squares add up to the filter, of sum 1."""
    radius = ceil(3 * sqrt(_RADIUS_SCALE / (2 * pi**2)) * ppd)
    x = np.arange(-radius, radius + 1) / ppd
    made = []
    for gaussians in _SENSITIVITY:
        lines = [sqrt(a * sqrt(pi / b)) * np.exp(-((pi * x) ** 2) / b) for a, b in gaussians]
        total = sqrt(sum(line.sum() ** 2 for line in lines))
        made.append(tuple(tuple((line / total).tolist()) for line in lines))
    return tuple(made)


def _hunt_lab(relative: Tensor) -> Tensor:
    """CIELAB of XYZ / white, a and b shrunk by L / 100 (Hunt: dark colours look less colourful)."""
    cube = power(relative.clamp(min=_EDGE**3), 1 / 3)
    x, y, z = joined(relative / (3 * _EDGE**2) + 4 / 29, cube, _EDGE).split(1, 1)
    lightness = 116 * y - 16
    return torch.cat([lightness, 5 * lightness * (x - y), 2 * lightness * (y - z)], 1)


def _hyab(a: Tensor, b: Tensor) -> Tensor:
    d = a - b
    return d[:, :1].abs() + root(d[:, 1:2].square() + d[:, 2:].square())


def _colour_difference(ref: Tensor, dist: Tensor) -> Tensor:
    """HyAB to the power 0.7, bent so that 0.4 of the largest becomes 0.95 and the largest 1; (N, 1, H, W)."""
    top = _largest()
    bend = PC * top
    d = power(_hyab(ref, dist), QC)
    # the steeper line is the lower one below the bend
    return torch.minimum(d * (PT / bend), PT + (d - bend) / (top - bend) * (1 - PT))


@cached(1)
def _largest() -> float:
    """The difference of pure green and pure blue."""
    rgb = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64).view(2, 3, 1, 1)
    green, blue = _hunt_lab(mix(rgb, _TO_RELATIVE)).split(1)
    result: float = float(_hyab(green, blue)) ** QC
    return result


def _feature_difference(ref: Tensor, dist: Tensor, ppd: float) -> Tensor:
    """Root of the larger difference of edges and points, over root 2; (N, 1, H, W)."""
    edges, points = zip(*(_features(y, ppd) for y in (ref, dist)))
    larger = torch.maximum((edges[0] - edges[1]).abs(), (points[0] - points[1]).abs())
    return power(larger / sqrt(2), QF)


def _features(y: Tensor, ppd: float) -> tuple[Tensor, Tensor]:
    """Magnitudes of edges and of points of (N, 1, H, W) 0..1."""
    smooth, edge, point = _feature_kernels(ppd)
    reach = len(smooth) // 2
    wide = pad(y, reach, reach, reach, reach, "replicate")
    smoothed = slide(wide, smooth, -1)
    magnitudes = []
    for kernel in (edge, point):
        across = slide(slide(wide, kernel, -1), smooth, -2)
        down = slide(smoothed, kernel, -2)
        magnitudes.append(root(across.square() + down.square()))
    return magnitudes[0], magnitudes[1]


@cached(16)
def _feature_kernels(ppd: float) -> tuple[tuple[float, ...], ...]:
    """A Gaussian of sum 1, and its first and second derivative whose positive and negative parts have sums of 1 and -1."""
    sd = 0.5 * EDGE_DEGREES * ppd
    radius = ceil(3 * sd)
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    g = np.exp(-(x**2) / (2 * sd**2))
    made = [g / g.sum()]
    for kernel in (-x * g, (x**2 / sd**2 - 1) * g):
        positive, negative = kernel.clip(min=0), kernel.clip(max=0)
        made.append(positive / positive.sum() - negative / negative.sum())
    return tuple(tuple(kernel.tolist()) for kernel in made)
