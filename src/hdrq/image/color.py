"""Colour spaces derived from primaries, luminance and luma, and the opponent spaces used by quality metrics.

Operators compute in the working space: BT.709, or within `working_in` the primaries of the light that they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import joined, power
from hdrq.image.caching import cached
from hdrq.records import BT709, BT2020, XYZ, Primaries

# BT.709 luminance weights as in PU21, pfstools and HDR-VDP-2 (gfxdisp/pu21 78340c0): six digits, used by all golden numbers.
LUMINANCE = (0.212656, 0.715158, 0.072186)
# MATLAB's rgb2gray: first row of the inverse of the NTSC matrix, six digits.
LUMA = (0.298936021293775, 0.587043074451121, 0.114020904255103)
_working: ContextVar[Primaries] = ContextVar("hdrq_working_space", default=BT709)


@cached(32)
def rgb_to_xyz(primaries: Primaries) -> np.ndarray:
    """3x3 float64 matrix from linear RGB to CIE XYZ, with Y = 1 for white. Source: SMPTE RP 177."""
    if primaries.name == XYZ.name:
        return np.eye(3)

    def lift(xy: tuple[float, float]) -> list[float]:
        return [xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]]

    columns = np.array([lift(primaries.red), lift(primaries.green), lift(primaries.blue)]).T
    return columns * np.linalg.solve(columns, np.array(lift(primaries.white)))


@cached(64)
def rgb_to_rgb(source: Primaries, target: Primaries) -> np.ndarray:
    """3x3 float64 matrix between two sets of primaries, without chromatic adaptation of the white points."""
    return np.linalg.solve(rgb_to_xyz(target), rgb_to_xyz(source))


def mix(pixels: Tensor, matrix: np.ndarray | Tensor | Sequence[Sequence[float]]) -> Tensor:
    """Apply a KxC matrix to the channels of (N, C, H, W)."""
    m = torch.as_tensor(matrix, dtype=pixels.dtype, device=pixels.device)
    n, c, h, w = pixels.shape
    return (m @ pixels.reshape(n, c, h * w)).reshape(n, m.shape[0], h, w)


def convert(pixels: Tensor, source: Primaries, target: Primaries = BT709) -> Tensor:
    """Linear RGB in other primaries. One-channel images stay as they are; values may become negative or exceed 1."""
    if pixels.shape[-3] == 1 or source == target:
        return pixels
    return mix(pixels, rgb_to_rgb(source, target))


def weigh(pixels: Tensor, weights: tuple[float, ...]) -> Tensor:
    """(N, 3, H, W) to (N, 1, H, W) by a weighted sum; one-channel input is returned unchanged."""
    if pixels.shape[-3] == 1:
        return pixels
    r, g, b = pixels.unbind(-3)
    return (weights[0] * r + weights[1] * g + weights[2] * b).unsqueeze(-3)


def luminance(light: Tensor, primaries: Primaries = BT709) -> Tensor:
    """Luminance Y of linear light, in the unit of the input, (N, 1, H, W): for BT.709 by the usual six digits."""
    weights = LUMINANCE if primaries == BT709 else tuple(float(w) for w in rgb_to_xyz(primaries)[1])
    return weigh(light, weights)


def luma(code: Tensor) -> Tensor:
    """Luma Y′ of code by the weights of MATLAB's rgb2gray, without its rounding, (N, 1, H, W)."""
    return weigh(code, LUMA)


# BT.2020 luminance, with the four digits of the standard
WEIGHTS = (0.2627, 0.6780, 0.0593)
_BLUE, _RED = 1.8814, 1.4746


def split_luma(code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Y', C'B and C'R of BT.2020 R'G'B', (N, 1, H, W) each."""
    y = weigh(code, WEIGHTS)
    return y, (code[:, 2:] - y) / _BLUE, (code[:, :1] - y) / _RED


def join_luma(y: Tensor, cb: Tensor, cr: Tensor) -> Tensor:
    """BT.2020 R'G'B' from Y', C'B and C'R."""
    r, b = y + _RED * cr, y + _BLUE * cb
    g = (y - WEIGHTS[0] * r - WEIGHTS[2] * b) / WEIGHTS[1]
    return torch.cat([r, g, b], 1)


_EDGE = 6 / 29
# D65
_WHITE = tuple(float(v) for v in rgb_to_xyz(BT709).sum(1))


def to_lab(xyz: Tensor) -> Tensor:
    """XYZ (N, 3, H, W), with white D65 and Y = 1, to L* (0..100), a*, b*. Source: CIE 15:2018."""
    f = _squeeze(xyz / xyz.new_tensor(_WHITE).view(1, 3, 1, 1))
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def from_lab(lab: Tensor) -> Tensor:
    """Inverse of `to_lab`."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    linear = 3 * _EDGE**2 * (f - 4 / 29)
    return torch.where(f > _EDGE, f.clamp(min=_EDGE) ** 3, linear) * lab.new_tensor(_WHITE).view(1, 3, 1, 1)


def _squeeze(t: Tensor) -> Tensor:
    return joined(t / (3 * _EDGE**2) + 4 / 29, power(t.clamp(min=_EDGE**3), 1 / 3), _EDGE)


# BT.709 to XYZ with the four digits of IEC 61966-2-1, as used for the golden numbers.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_TO_CONES = np.array([[0.4002, 0.7075, -0.0807], [-0.2280, 1.1500, 0.0612], [0.0, 0.0, 0.9184]])
_TO_IPT = np.array([[0.4000, 0.4000, 0.2000], [4.4550, -4.8510, 0.3960], [0.8056, 0.3572, -1.1628]])
_POWER = 0.43


def to_ipt(light: Tensor) -> Tensor:
    """Linear BT.709 (N, 3, H, W), white at 1, to I, P, T. Source: Ebner & Fairchild 1998."""
    cones = mix(light, _TO_CONES @ _TO_XYZ)
    return mix(_signed_power(cones, _POWER), _TO_IPT)


def from_ipt(ipt: Tensor) -> Tensor:
    """Inverse of `to_ipt`; colours may lie outside the gamut."""
    cones = _signed_power(mix(ipt, np.linalg.inv(_TO_IPT)), 1 / _POWER)
    return mix(cones, np.linalg.inv(_TO_CONES @ _TO_XYZ))


def _signed_power(x: Tensor, power: float) -> Tensor:
    return x.sign() * x.abs().clamp(min=1e-12) ** power


YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def yiq(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) code to Y, I, Q on the same scale. One channel is taken as Y, with I and Q equal to 0."""
    if rgb.shape[-3] == 1:
        return torch.cat([rgb, torch.zeros_like(rgb).expand(-1, 2, -1, -1)], 1)
    return mix(rgb, YIQ)


@contextmanager
def working_in(primaries: Primaries) -> Iterator[None]:
    """Within this block, the light of operators, expanders and statistics has these primaries."""
    token = _working.set(primaries)
    try:
        yield
    finally:
        _working.reset(token)


def working_space() -> Primaries:
    """The primaries of the light."""
    return _working.get()


def luminance_weights(of_bt709: tuple[float, ...]) -> tuple[float, ...]:
    """Weights of luminance: the given digits for BT.709, and the exact ones for other primaries."""
    space = _working.get()
    return of_bt709 if space == BT709 else tuple(float(w) for w in rgb_to_xyz(space)[1])


def to_bt709(light: Tensor) -> Tensor:
    """The light in BT.709, not clipped."""
    return convert(light, _working.get(), BT709)


def from_bt709(light: Tensor) -> Tensor:
    """BT.709 light in the working space, not clipped."""
    return convert(light, BT709, _working.get())


def to_bt2020(light: Tensor) -> Tensor:
    """The light in BT.2020, (N, 3, H, W); one channel is repeated to three."""
    if light.shape[1] == 1:
        return light.expand(-1, 3, -1, -1)
    return convert(light, _working.get(), BT2020).clamp(min=0)


def from_bt2020(light: Tensor, channels: int) -> Tensor:
    """BT.2020 light in the working space, not clipped; one channel again where the input had one."""
    return convert(light, BT2020, _working.get()) if channels == 3 else light[:, :1]
