"""IPT: lightness and two opponent axes whose hue lines are straight."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hdrq.ops.colour import mix

# BT.709 to XYZ in the four digits of IEC 61966-2-1, as the golden numbers have it.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_TO_CONES = np.array([[0.4002, 0.7075, -0.0807], [-0.2280, 1.1500, 0.0612], [0.0, 0.0, 0.9184]])
_TO_IPT = np.array([[0.4000, 0.4000, 0.2000], [4.4550, -4.8510, 0.3960], [0.8056, 0.3572, -1.1628]])
_POWER = 0.43


def to_ipt(light: Tensor) -> Tensor:
    """Linear BT.709, (N, 3, H, W), white 1, to I, P, T. Source: Ebner & Fairchild 1998."""
    cones = mix(light, _TO_CONES @ _TO_XYZ)
    return mix(_signed_power(cones, _POWER), _TO_IPT)


def from_ipt(ipt: Tensor) -> Tensor:
    """The inverse of `to_ipt`; colours may leave the gamut."""
    cones = _signed_power(mix(ipt, np.linalg.inv(_TO_IPT)), 1 / _POWER)
    return mix(cones, np.linalg.inv(_TO_CONES @ _TO_XYZ))


def _signed_power(x: Tensor, power: float) -> Tensor:
    return x.sign() * x.abs().clamp(min=1e-12) ** power
