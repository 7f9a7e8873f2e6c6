"""Transfer functions of displays: sRGB, PQ and HLG, both directions."""

from __future__ import annotations

from math import log, log10

import torch
from torch import Tensor

from hdrq.image.arithmetic import in_strips, joined, power
from hdrq.image.color import weigh

# The curve of sRGB at the end of its linear segment, and a little above it, so that rounding does not reach black.
_SRGB_EDGE_CODE = (1.055 * 0.0031308 ** (1 / 2.4) - 0.055) * (1 + 1e-6)
_SRGB_EDGE_LIGHT = ((0.04045 + 0.055) / 1.055) ** 2.4 * (1 + 1e-6)


def srgb_to_linear(code: Tensor) -> Tensor:
    """sRGB code to linear light; code 1.0 is light 1.0. Source: IEC 61966-2-1."""
    if code.dtype == torch.float32:
        return in_strips(_linear_of_float32, code)
    high = ((code.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(code <= 0.04045, code / 12.92, high)


def _linear_of_float32(code: Tensor) -> Tensor:
    high = (((code.clamp(min=0.04045) + 0.055) * (1 / 1.055)).log() * 2.4).exp()
    return joined(code * (1 / 12.92), high, _SRGB_EDGE_LIGHT)


def linear_to_srgb(light: Tensor) -> Tensor:
    """Linear light to sRGB code; light 1.0 is code 1.0. Negative values follow the linear segment of the curve."""
    if light.dtype == torch.float32:
        return in_strips(_srgb_of_float32, light)
    high = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, high)


def _srgb_of_float32(light: Tensor) -> Tensor:
    high = (light.clamp(min=0.0031308).log() * (1 / 2.4)).exp() * 1.055 - 0.055
    return joined(light * 12.92, high, _SRGB_EDGE_CODE)


# SMPTE ST 2084
# cd/m²
PQ_PEAK = 10_000.0
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# keeps the derivative finite at black
_LEAST = 1e-30


def nits_to_pq(nits: Tensor) -> Tensor:
    """cd/m², clamped to 0..10 000, to PQ code 0..1; 100 cd/m² is 0.50808. Source: SMPTE ST 2084."""
    return pq_signal(nits.clamp(0, PQ_PEAK))


def pq_signal(nits: Tensor, m2: float = PQ_M2) -> Tensor:
    """PQ code of cd/m², extended above 10 000; 0 for negative values, with zero derivative at 0.

    Because c1 = c3 - c2 + 1, (c1 + c2 y) / (1 + c3 y) is 1 - (1 - c1) (1 - y) / (1 + c3 y), whose logarithm float32 keeps
    fifty times as well before the power m2.
    """
    y = power(nits / PQ_PEAK, PQ_M1)
    return torch.exp(m2 * torch.log1p((PQ_C1 - 1) * (1 - y) / (1 + PQ_C3 * y)))


def pq_to_nits(code: Tensor) -> Tensor:
    """PQ code, clamped to 0..1, to cd/m²; computed in float64, because the powers 1/m2 and 1/m1 amplify rounding."""
    v = code.double().clamp(0, 1) ** (1 / PQ_M2)
    light: Tensor = PQ_PEAK * ((v - PQ_C1).clamp(min=_LEAST) / (PQ_C2 - PQ_C3 * v)) ** (1 / PQ_M1)
    return light.to(code.dtype)


# ITU-R BT.2100-3 table 5
_A = 0.17883277
_B = 1 - 4 * _A
_C = 0.5 - _A * log(4 * _A)
# BT.2100 luminance
_WEIGHTS = (0.2627, 0.6780, 0.0593)
_TINY = 1e-12


def hlg_system_gamma(peak: float) -> float:
    """1.2 at 1000 cd/m²; the extended form outside 400..2000 cd/m² (BT.2100-3 note 5f, BT.2390)."""
    return (
        1.2 + 0.42 * log10(peak / 1000)
        if 400 <= peak <= 2000
        else 1.2 * 1.111 ** (log10(peak / 1000) / log10(2))
    )


def nits_to_hlg(nits: Tensor, peak: float = 1000.0, gamma: float | None = None) -> Tensor:
    """Light, cd/m² (N, C, H, W), on a display of that peak to HLG signal 0..1 (inverse OOTF, then OETF).

    gamma  of the OOTF, in place of BT.2100's for that peak
    """
    shown = (nits / peak).clamp(0, 1)
    y = weigh(shown, _WEIGHTS) if shown.dim() >= 3 and shown.shape[-3] == 3 else shown
    g = hlg_system_gamma(peak) if gamma is None else gamma
    scene = shown * y.clamp(min=_TINY) ** ((1 - g) / g)
    low = (3 * scene.clamp(min=_TINY)).sqrt()
    high = _A * (12 * scene - _B).clamp(min=_TINY).log() + _C
    return torch.where(scene <= 1 / 12, low, high)


def hlg_to_nits(code: Tensor, peak: float = 1000.0, gamma: float | None = None) -> Tensor:
    """Inverse of `nits_to_hlg` (inverse OETF, then OOTF)."""
    v = code.clamp(0, 1)
    scene = torch.where(v <= 0.5, v**2 / 3, (((v - _C) / _A).exp() + _B) / 12)
    y = weigh(scene, _WEIGHTS) if scene.dim() >= 3 and scene.shape[-3] == 3 else scene
    return peak * scene * y.clamp(min=_TINY) ** ((hlg_system_gamma(peak) if gamma is None else gamma) - 1)
