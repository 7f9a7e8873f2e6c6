"""XYZ, transfer functions and L*a*b* in the digits of HDRTools (JCT-VC/MPEG), which metrics of light are reported with."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import power
from hdrq.image.caching import cached, shared
from hdrq.image.color import convert, mix, rgb_to_xyz
from hdrq.image.transfer import pq_signal
from hdrq.records import BT2020, PRIMARIES, Primaries
from hdrq.scoring.features.color_difference import lab
from hdrq.scoring.features.pixel_errors import by_rows

Transfer = Literal["pq+philips", "pq", "cube-root", "pq-toe", "none", "pq-709", "pq-gamma"]
Space = Literal["xyz", "rgb", "ycbcr", "yuv"]
PEAK = 10_000.0

# RGB to XYZ: six digits, and the four digits of PSNR-DE.
_SIX = {
    "bt709": [[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]],
    "bt2020": [[0.636958, 0.144617, 0.168881], [0.262700, 0.677998, 0.059302], [0.0, 0.028073, 1.060985]],
    "p3": [[0.486571, 0.265668, 0.198217], [0.228975, 0.691739, 0.079287], [0.0, 0.045113, 1.043944]],
}
_FOUR = {
    "bt709": [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9504]],
    "bt2020": [[0.6370, 0.1446, 0.1689], [0.2627, 0.6780, 0.0593], [0.0, 0.0281, 1.0610]],
    "p3": _SIX["p3"],
}
# P3-D65: from its primaries, at full precision
_YCBCR = {
    "bt709": [[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]],
    "bt2020": [[0.2627, 0.6780, 0.0593], [-0.139630, -0.360370, 0.5], [0.5, -0.459786, -0.040214]],
}
_UV_BLACK = (0.197830013378341, 0.468319974939678)


def named(light: Tensor, primaries: Primaries) -> tuple[Tensor, str]:
    """Light of three channels and the name of its primaries; primaries unknown to HDRTools are converted to BT.2020."""
    light = light.expand(-1, 3, -1, -1)
    if primaries.name in _SIX:
        return light, primaries.name
    return convert(light, primaries, BT2020), BT2020.name


@shared
def xyz_four_digits(light: Tensor, primaries: Primaries) -> Tensor:
    """CIE XYZ, cd/m², by four digits rounded to float32, (N, 3, H, W)."""
    light, name = named(light, primaries)
    return mix(light, np.array(_FOUR[name], np.float32).astype(np.float64))


@shared
def planes(light: Tensor, primaries: Primaries, transfer: Transfer, space: Space, peak: float) -> Tensor:
    """What tPSNR compares, (N, 3, H, W), 0..1.

    xyz    X, Y, Z of light / peak, clipped to 0..1, through the transfer function
    rgb    R, G, B, likewise
    ycbcr  of the coded RGB, clipped to 0..1 without an offset: negative colour differences count as 0
    yuv    coded Y, and u', v' of the linear XYZ
    """
    light, name = named(light, primaries)
    curve = CURVES[transfer]
    if space == "rgb":
        return curve((light / peak).clamp(0, 1))
    if space == "ycbcr":
        return mix(curve((light / peak).clamp(0, 1)), _ycbcr(name)).clamp(0, 1)
    linear = mix(light / peak, np.array(_SIX[name])).clamp(0, 1)
    return curve(linear) if space == "xyz" else torch.cat([curve(linear[:, 1:2]), _uv(linear)], 1)


@cached(4)
def _ycbcr(name: str) -> np.ndarray:
    """R'G'B' to Y'CbCr with the luma weights of the primaries."""
    if name in _YCBCR:
        return np.array(_YCBCR[name])
    luma = rgb_to_xyz(PRIMARIES[name])[1]
    red, blue = np.eye(3)[0], np.eye(3)[2]
    return np.stack([luma, (blue - luma) / (2 - 2 * luma[2]), (red - luma) / (2 - 2 * luma[0])])


def _uv(xyz: Tensor) -> Tensor:
    x, y, z = xyz.split(1, 1)
    total = x + 15 * y + 3 * z
    lit = total > 0
    safe = torch.where(lit, total, 1.0)
    return torch.cat(
        [torch.where(lit, k * a / safe, dark) for k, a, dark in zip((4, 9), (x, y), _UV_BLACK)], 1
    )


def _pq(v: Tensor) -> Tensor:
    return pq_signal(v * PEAK)


def _at(v: float) -> float:
    return float(_pq(torch.tensor(v, dtype=torch.float64)))


def _philips(v: Tensor) -> Tensor:
    return torch.log(1 + 24 * power(2 * v, 1 / 2.4)) / log(1 + 24 * 2 ** (1 / 2.4))


def _pq_philips(v: Tensor) -> Tensor:
    return (_pq(v) + _philips(v)) / 2


def _cube_root(v: Tensor) -> Tensor:
    result: Tensor = lightness_curve(100 * v) / 100 ** (1 / 3)
    return result


def lightness_curve(u: Tensor) -> Tensor:
    """The f of L*a*b* in the digits of HDRTools."""
    return torch.where(u >= 0.008856, power(u.clamp(min=0.008856), 1 / 3), 7.78704 * u + 0.137931)


def _pq_toe(v: Tensor) -> Tensor:
    foot, toe = 4.5e-4, _at(1e-4)
    return torch.where(v < 1e-4, 4.5 * v, (_pq(v) - toe) / (1 - toe) * (1 - foot) + foot)


def _pq_709(v: Tensor) -> Tensor:
    s = _at(0.01)
    low = s * torch.where(v < 0.00018, 450 * v, 1.099 * power(100 * v.clamp(min=0.00018), 0.45) - 0.099)
    return torch.where(v < 0.01, low, _pq(v))


def _pq_gamma(v: Tensor) -> Tensor:
    return torch.where(v < 0.01, _at(0.01) * power(100 * v, 1 / 2.4), _pq(v))


CURVES: dict[str, Callable[[Tensor], Tensor]] = {
    "pq+philips": _pq_philips,
    "pq": _pq,
    "cube-root": _cube_root,
    "pq-toe": _pq_toe,
    "none": lambda v: v,
    "pq-709": _pq_709,
    "pq-gamma": _pq_gamma,
}


Variant = Literal["hdrtools", "ciede2000"]
_WHITE = (0.95047, 1.0, 1.08883)


def lab_of(light: Tensor, primaries: Primaries, white: float, variant: Variant) -> Tensor:
    """L*, a*, b*, (N, 3, H, W); `white` is the luminance of L* = 100, cd/m²."""
    return _hdrtools_lab(light, primaries, white) if variant == "hdrtools" else lab(light, primaries, white)


@shared
def _hdrtools_lab(light: Tensor, primaries: Primaries, white: float) -> Tensor:
    def lab_rows(rows: Tensor) -> Tensor:
        xyz = xyz_four_digits.__wrapped__(rows, primaries)  # type: ignore[attr-defined]
        f = lightness_curve(xyz / (xyz.new_tensor(_WHITE).view(1, 3, 1, 1) * white))
        x, y, z = f.split(1, 1)
        return torch.cat([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)

    return by_rows(lab_rows, light)
