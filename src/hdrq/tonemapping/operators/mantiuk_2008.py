"""Mantiuk 2008: the tone curve that best preserves visible contrast on a given display in ambient light."""

from __future__ import annotations

from math import log10, pi

import numpy as np
import torch
from torch import Tensor

from hdrq.image.statistics import XYZ_WEIGHTS, luminance, ratio
from hdrq.tonemapping.color_correction import exponent_for
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.solvers.display_curve import STEP, count_contrasts, fit_curve


@operator(
    OperatorCard(
        title="Display adaptive tone mapping",
        source="Mantiuk, Daly & Kerofsky 2008, doi:10.1145/1360612.1360667",
        reads="nits",
        display=("peak_nits", "black_nits", "ambient_lux", "reflectance"),
        differentiable=False,
        tunes={"enhance": (0.5, 2)},
        stepped=("enhance",),
        temporal=False,
        limits={
            "ambient_lux": (0, 1e5),
            "reflectance": (0, 1),
            "ppd": (1, 1000),
            "enhance": (0.01, 10),
            "adapted_nits": (1e-3, 1e6),
        },
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
    adapted_nits: float | None = 1000.0,
    saturation: float = 1.0,
) -> Tensor:
    """A curve of log10 L fitted to the histogram of contrasts, on a display with black and reflected light.

    It starts at the display's black and rises no further than contrasts ask for, so a scene of few contrasts is dark.

    ambient_lux, reflectance  of the room and the screen; ambient / pi · reflectance is added to all it shows
    ppd                       pixels per degree
    enhance                   contrast that is asked for, as a multiple of the scene's
    adapted_nits              what the eye in the scene is adapted to: 1000, as in pfstools 2.2, asks for the contrasts as
                              they look in bright light; None: as they look to eyes adapted to each luminance
    saturation                on top of the one that goes with the curve's slope
    """
    y = luminance(light, XYZ_WEIGHTS).clamp(1e-8, 1e8)
    x = y.log10()
    back = ambient_lux / pi * reflectance
    darkest, brightest = log10(max(black_nits + back, 1e-6)), log10(peak_nits + back)
    shown, power = zip(*(_mapped(f[None], ppd, darkest, brightest, enhance, adapted_nits) for f in x))
    colour = ratio(light, y).clamp(min=1e-9) ** (saturation * torch.cat(power))
    nits = colour * torch.cat(shown) * (light.amax(1, keepdim=True) > 0)
    return (nits - back - black_nits) / (peak_nits - black_nits)


def _mapped(
    x: Tensor, ppd: float, darkest: float, brightest: float, enhance: float, adapted_nits: float | None
) -> tuple[Tensor, Tensor]:
    """Display luminance and the exponent of colours at every pixel of one frame, both linear between the curve's knots."""
    found = count_contrasts(x, ppd)
    curve = fit_curve(found, darkest, brightest, enhance, adapted_nits)
    slope = np.diff(curve, append=curve[-1]) / STEP
    place = (x / STEP).sub_(found.first).clamp_(0, len(curve) - 1)
    low = place.long().clamp_(max=len(curve) - 2)
    share = place.sub_(low)
    results = []
    for knots in (torch.from_numpy(10**curve), exponent_for(torch.from_numpy(slope))):
        at = knots.to(x)
        results.append(at.take(low).addcmul_(share, at.diff().take(low)))
    return results[0], results[1]
