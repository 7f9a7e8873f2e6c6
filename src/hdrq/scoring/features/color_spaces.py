"""Spaces in which colours of absolute light are compared: XYZ, CIELAB with a stated white, ICtCp, Jzazbz.

light  (N, C, H, W), linear, cd/m², in the primaries that are named beside it; one channel is the luminance of D65 grey.
Conversions that several metrics of a call ask for are made once (hdrq.image.caching).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image.caching import cached, shared
from hdrq.image.color import mix, rgb_to_rgb, rgb_to_xyz, to_lab, weigh
from hdrq.image.transfer import pq_signal
from hdrq.records import BT709, BT2020, Primaries
from hdrq.scoring.features.pixel_pooling import by_rows

_WHITE = rgb_to_xyz(BT709).sum(1)  # D65, Y = 1

# ITU-R BT.2100-3 table 7: RGB of BT.2020 to LMS, and L'M'S' to I, Ct, Cp.
_LMS = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
_ICTCP = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096

# Safdar, Cui, Kim, Luo 2017, doi:10.1364/OE.25.015131, equations 8 to 13.
_JZ_XYZ = np.array([[1.15, 0.0, -0.15], [0.34, 0.66, 0.0], [0.0, 0.0, 1.0]])
_JZ_LMS = np.array(
    [[0.41478972, 0.579999, 0.0146480], [-0.2015100, 1.120649, 0.0531008], [-0.0166008, 0.264800, 0.6684799]]
)
_JZ_IAB = np.array([[0.5, 0.5, 0.0], [3.524, -4.066708, 0.542708], [0.199076, 1.096799, -1.295875]])
_JZ_M2 = 1.7 * 2523 / 32
_JZ_D, _JZ_D0 = -0.56, 1.6295499532821566e-11


@shared
def xyz(light: Tensor, primaries: Primaries) -> Tensor:
    """CIE XYZ, cd/m², (N, 3, H, W)."""
    if light.shape[1] == 1:
        return light * light.new_tensor(_WHITE).view(1, 3, 1, 1)
    return mix(light, rgb_to_xyz(primaries))


@shared
def luminance(light: Tensor, primaries: Primaries) -> Tensor:
    """Y, cd/m², (N, 1, H, W)."""
    return weigh(light, tuple(rgb_to_xyz(primaries)[1]))


@shared
def lab(light: Tensor, primaries: Primaries, white: float) -> Tensor:
    """L*, a*, b* against D65 of `white` cd/m²; light above the white has L* above 100."""
    return by_rows(lambda rows: to_lab(xyz.__wrapped__(rows, primaries) / white), light)  # type: ignore[attr-defined]


def white_note(white: float) -> str:
    """A note on the white; UsageError where there is none."""
    if not white > 0:
        raise UsageError(f"the white of L* = 100 is a luminance above 0, not {white:g}")
    return f"L* = 100 at {white:g} cd/m², D65"


@shared
def ictcp(light: Tensor, primaries: Primaries) -> Tensor:
    """I, Ct, Cp of BT.2100 with PQ. Cone responses below 0 (colours outside of BT.2020) count as 0."""
    if light.shape[1] == 1:  # equal cone responses: no Ct, no Cp
        intensity = by_rows(pq_signal, light)
        return torch.cat([intensity, torch.zeros_like(intensity).expand(-1, 2, -1, -1)], 1)
    to_lms = _LMS @ rgb_to_rgb(primaries, BT2020)
    return by_rows(lambda rows: mix(pq_signal(mix(rows, to_lms)), _ICTCP), light)


@shared
def jzazbz(light: Tensor, primaries: Primaries) -> Tensor:
    """Jz, az, bz. Cone responses below 0 count as 0."""

    def convert(rows: Tensor) -> Tensor:
        cones = mix(xyz.__wrapped__(rows, primaries), _jz_cones())  # type: ignore[attr-defined]
        intensity, az, bz = mix(pq_signal(cones, _JZ_M2), _JZ_IAB).split(1, 1)
        jz = (1 + _JZ_D) * intensity / (1 + _JZ_D * intensity) - _JZ_D0
        return torch.cat([jz, az, bz], 1)

    return by_rows(convert, light)


@cached(1)
def _jz_cones() -> np.ndarray:
    result: np.ndarray = _JZ_LMS @ _JZ_XYZ
    return result
