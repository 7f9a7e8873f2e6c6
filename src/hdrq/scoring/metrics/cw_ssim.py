"""CW-SSIM, on one level of the complex steerable pyramid of matlabPyrTools (f02ab05), made in the Fourier domain.

Portilla & Simoncelli, IJCV 2000, doi:10.1023/A:1026553619983. Transfer functions are read from tables by straight lines, as
that program does, so that its numbers come out to 1e-8.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import PixelError, UsageError
from hdrq.image.caching import cached
from hdrq.image.filters import window

WINDOW = 7
MOST_ORIENTATIONS = 16
# energy of codes 0..255 below which a window holds rounding errors only
SILENT = 1e-22
# of a half period of the cosine, of pi
_RADIAL_NODES, _ANGULAR_STEPS = 256, 1024


@metric(
    Card(
        title="Complex wavelet structural similarity",
        unit="1",
        better="higher",
        span=(0, 1),
        best=1.0,
        reads="code",
        grey=True,
        codes=True,
        side=64,
        planes=40,
        map="similarity",
        source="Sampat, Wang, Gupta, Bovik, Markey, IEEE TIP 2009, doi:10.1109/TIP.2009.2025923; numbers as CW-SSIM 1.0",
    )
)
def cw_ssim(
    ref: Tensor, dist: Tensor, *, level: int = 4, orientations: int = 8, guard: int = 0, k: float = 0.0
) -> Reading:
    """How alike the phases of one level of a complex steerable pyramid are; small shifts and rotations change it little.

    ref, dist     (N, 1, H, W), codes 0..255; worked in float64
    level         1 is the finest; a side of 2^(level + 2) pixels is needed
    orientations  1..16
    guard         pixels of the image left out along its borders
    k             added to numerator and denominator
    map           similarity of 7x7 windows, averaged over the orientations, at the size of the level
    raises        UsageError for other options; PixelError where the image is too small for the level
    """
    if not (1 <= orientations <= MOST_ORIENTATIONS and level >= 1 and guard >= 0 and k >= 0):
        raise UsageError("cw-ssim needs level >= 1, orientations of 1..16, guard >= 0 and k >= 0")
    height, width = ref.shape[-2:]
    if level > deepest(height, width):
        raise PixelError(
            f"cw-ssim's level {level} needs {2 ** (level + 2)} pixels a side, not {width}x{height}"
        )
    pairs = zip(*(oriented_bands(code.double(), level, orientations) for code in (ref, dist)))
    edge = guard // 2 ** (level - 1)
    maps = torch.stack([_similarity(_inside(a, edge), _inside(b, edge), k) for a, b in pairs]).mean(0)
    value = (maps * _centre(maps, (maps.shape[-2] + WINDOW - 1) / 4)).sum((1, 2, 3))
    return Reading(value.to(ref.dtype), maps.to(ref.dtype))


def _inside(band: Tensor, edge: int) -> Tensor:
    band = band[..., edge : band.shape[-2] - edge, edge : band.shape[-1] - edge]
    if min(band.shape[-2:]) < WINDOW:
        raise PixelError("cw-ssim's guard leaves less than 7 pixels of the level; choose a smaller one")
    return band


def _similarity(a: Tensor, b: Tensor, k: float) -> Tensor:
    """(2 |sum a b*| + k) / (sum |a|² + |b|² + k) of windows; 1 where both are silent."""
    taps = (1 / WINDOW,) * WINDOW
    product = a * b.conj()
    real, imaginary = window(product.real.contiguous(), taps), window(product.imag.contiguous(), taps)
    energy = window(torch.view_as_real(a).square().sum(-1) + torch.view_as_real(b).square().sum(-1), taps)
    textured = energy > SILENT
    joint = torch.complex(real, imaginary).abs()
    return torch.where(textured, (2 * joint + k) / torch.where(textured, energy + k, 1.0), 1.0)


def _centre(like: Tensor, sigma: float) -> Tensor:
    """A Gaussian over the map, sum 1; values below 2e-16 of the maximum are 0, as in MATLAB's fspecial."""
    squares = []
    for n in like.shape[-2:]:
        squares.append((torch.arange(n, dtype=like.dtype, device=like.device) - (n - 1) / 2).square())
    g = torch.exp(-(squares[0][:, None] + squares[1][None]) / (2 * sigma**2))
    g = torch.where(g < torch.finfo(torch.float64).eps * g.max(), 0.0, g)
    return g / g.sum()


def deepest(height: int, width: int) -> int:
    """How many levels an image has."""
    return min(height, width).bit_length() - 3


def oriented_bands(x: Tensor, level: int, orientations: int) -> Iterator[Tensor]:
    """Complex bands (N, 1, h, w) of (N, 1, H, W) at one level, one orientation after the other.

    level  1 is the finest, of the image's own size; sides halve upwards, rounded up
    """
    spectrum = torch.fft.fft2(x)
    waves = []
    for n, dim in zip(x.shape[-2:], (-2, -1)):
        size = n
        for _ in range(level - 1):
            size = (size + 1) // 2
        wave = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64, device=x.device).round()
        spectrum = spectrum.index_select(dim, wave.long() % n)
        waves.append(wave / (n / 2))
    down, across = waves[0][:, None], waves[1][None]
    radius = torch.hypot(down, across)
    radius[0, 0] = 2 / x.shape[-1]
    spectrum = spectrum * _radial_mask(radius.log2(), level).to(x.dtype)
    angle = torch.atan2(down, across.expand_as(radius))
    for band in range(orientations):
        mask = _angular_mask(angle, band, orientations).to(x.dtype)
        yield torch.fft.ifft2(spectrum * mask) * (-1j) ** (orientations - 1)


def _radial_mask(octave: Tensor, level: int) -> Tensor:
    """Low-pass of all levels before, times the high-pass of this one; `octave` is log2 of the radius, 0 at Nyquist."""
    x, rise, fall = (torch.from_numpy(t).to(octave.device) for t in _raised_cosine())
    mask = _interpolate(octave, x, rise, shift=-level)
    for k in range(level):
        mask = mask * _interpolate(octave, x, fall, shift=-k)
    return mask


@cached(1)
def _raised_cosine() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Octaves -1..0, the root of a raised cosine rising over them, and what is left of unit power; ends repeated."""
    phase = pi * np.arange(-_RADIAL_NODES - 1, 2) / (2 * _RADIAL_NODES)
    power = np.cos(phase) ** 2
    power[0], power[-1] = power[1], power[-2]
    return -0.5 + 2 / pi * (phase + pi / 4), np.sqrt(power), np.sqrt(1 - np.sqrt(power) ** 2)


def _interpolate(at: Tensor, x: Tensor, y: Tensor, shift: float) -> Tensor:
    """Linear interpolation of y at `at` on the equally spaced nodes x + shift, with linear extrapolation."""
    place = (at - (x[0] + shift)) / (x[1] - x[0])
    low = place.floor().clamp(0, len(x) - 2)
    near, far = y[low.long()], y[low.long() + 1]
    return near + (far - near) * (place - low)


def _angular_mask(angle: Tensor, band: int, orientations: int) -> Tensor:
    """2 sqrt(c) cos^(n-1) on the half circle around pi band / n: the analytic half of an oriented filter."""
    nodes, values = (torch.from_numpy(t).to(angle.device) for t in _half_circle(orientations))
    return _interpolate(angle, nodes, values, shift=pi * band / orientations)


@cached(8)
def _half_circle(orientations: int) -> tuple[np.ndarray, np.ndarray]:
    order = orientations - 1
    scale = 2 ** (2 * order) * factorial(order) ** 2 / (orientations * factorial(2 * order))
    nodes = pi * np.arange(-2 * _ANGULAR_STEPS - 1, _ANGULAR_STEPS + 2) / _ANGULAR_STEPS
    alpha = np.mod(pi + nodes, 2 * pi) - pi
    return nodes, 2 * sqrt(scale) * np.cos(nodes) ** order * (np.abs(alpha) < pi / 2)
