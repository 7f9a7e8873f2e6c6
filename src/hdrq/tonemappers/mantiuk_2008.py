"""Mantiuk 2008: the tone curve that shows a scene's contrasts best on this display in this room."""

from __future__ import annotations

from math import log10, pi

import numpy as np
import torch
from torch import Tensor

from hdrq.ops.display_curve import STEP, count_contrasts, fit_curve
from hdrq.ops.operator import OperatorCard, operator
from hdrq.ops.scene import XYZ_WEIGHTS, luminance, ratio

_K1, _K2 = 1.48, 0.82  # of the saturation that goes with a slope, Mantiuk et al. 2009


@operator(
    OperatorCard(
        title="Display adaptive tone mapping",
        source="Mantiuk, Daly & Kerofsky 2008, doi:10.1145/1360612.1360667",
        reads="nits",
        differentiable=False,
        tunes={"enhance": (0.5, 2)},
    )
)
def mantiuk_2008(
    light: Tensor,
    *,
    peak_nits: float = 100.0,
    black_nits: float = 0.8,
    ambient_lux: float = 400.0,
    reflectance: float = 0.01,
    ppd: float = 30.0,
    enhance: float = 1.0,
    saturation: float = 1.0,
) -> Tensor:
    """A curve of log10 L fitted to the histogram of contrasts, on a display with black and reflected light.

    ambient_lux, reflectance  of the room and the screen; ambient / pi · reflectance is added to all it shows
    ppd                       pixels per degree
    enhance                   contrast that is asked for, as a multiple of the scene's
    saturation                on top of the one that goes with the curve's slope
    """
    y = luminance(light, XYZ_WEIGHTS).clamp(1e-8, 1e8)
    x = y.log10()
    back = ambient_lux / pi * reflectance
    darkest, brightest = log10(max(black_nits + back, 1e-6)), log10(peak_nits + back)
    shown, slope = zip(*(_mapped(f[None], ppd, darkest, brightest, enhance) for f in x))
    c = torch.cat(slope).clamp(min=1e-6) ** _K2
    colour = ratio(light, y).clamp(min=1e-9) ** (saturation * (1 + _K1) * c / (1 + _K1 * c))
    nits = colour * 10 ** torch.cat(shown) * (light.amax(1, keepdim=True) > 0)
    return (nits - back - black_nits) / (peak_nits - black_nits)


def _mapped(x: Tensor, ppd: float, darkest: float, brightest: float, enhance: float) -> tuple[Tensor, Tensor]:
    """log10 display luminance and the curve's slope at every pixel of one frame."""
    found = count_contrasts(x, ppd)
    curve = fit_curve(found, darkest, brightest, enhance)
    at = torch.as_tensor(curve, dtype=x.dtype, device=x.device)
    rise = torch.as_tensor(
        np.gradient(curve) / STEP if len(curve) > 1 else np.ones(1), dtype=x.dtype, device=x.device
    )
    place = (x / STEP - found.first).clamp(0, len(curve) - 1)
    low = place.floor().long().clamp(max=max(len(curve) - 2, 0))
    share, high = place - low, (low + 1).clamp(max=len(curve) - 1)
    return at[low] + share * (at[high] - at[low]), rise[low] + share * (rise[high] - rise[low])
