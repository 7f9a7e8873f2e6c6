"""Colour correction of a tone-mapped image towards the colours of the scene.

light is the scene and shown the operator's result, both linear (N, 3, H, W) in the working space. Every correction keeps
the luminance of `shown`, except where stated. Gamut mapping then moves colours outside the display's gamut into it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hdrq.image.arithmetic import limited
from hdrq.image.color import from_bt709, from_ipt, to_bt709, to_ipt
from hdrq.image.statistics import brightest, luminance, ratio

_EPS = 1e-5
_BINS = 100


def schlick(light: Tensor, shown: Tensor, saturation: float | Tensor = 0.5) -> Tensor:
    """(C / L)^s L_d. Source: Schlick 1994; s = 1 keeps the scene's ratios."""
    return ratio(light, luminance(light)).clamp(min=1e-9) ** saturation * luminance(shown)


def linear(light: Tensor, shown: Tensor, saturation: float | Tensor = 0.5) -> Tensor:
    """((C / L - 1) s + 1) L_d. Source: Mantiuk et al. 2009, doi:10.1111/j.1467-8659.2009.01358.x"""
    return ((ratio(light, luminance(light)) - 1) * saturation + 1) * luminance(shown)


def mantiuk_power(light: Tensor, shown: Tensor, saturation: float = 1.0) -> Tensor:
    """`schlick` with an exponent from the tone curve's slope at each pixel."""
    return schlick(light, shown, saturation * exponent_for(slope(light, shown)))


def mantiuk_linear(light: Tensor, shown: Tensor, saturation: float = 1.0) -> Tensor:
    """`linear` with a factor from the tone curve's slope at each pixel."""
    return linear(light, shown, saturation * exponent_for(slope(light, shown), 1.6774, 0.9925))


def pouli(light: Tensor, shown: Tensor, saturation: float = 1.0) -> Tensor:
    """Hue and saturation of the scene at the lightness of `shown`; luminance changes slightly.

    Source: Pouli, Artusi, Banterle, Akyüz, Seidel & Reinhard 2013, Color Imaging Conference 21, in IPT
    """
    top = brightest(shown, name="brightest result for its colours")
    i_h, p_h, t_h = to_ipt(
        to_bt709(ratio(light, brightest(light, name="brightest scene for its colours")))
    ).split(1, 1)
    i_t, p_t, t_t = to_ipt(to_bt709(ratio(shown, top))).split(1, 1)
    chroma_h = (p_h**2 + t_h**2 + 1e-20).sqrt()
    chroma_t = (p_t**2 + t_t**2 + 1e-20).sqrt() * i_h / (i_t + _EPS)
    gain = _saturation(chroma_h, i_h) / _saturation(chroma_t, i_t).clamp(min=1e-9)
    chroma = saturation * gain * chroma_t
    colour = from_ipt(torch.cat([i_t, chroma * p_h / chroma_h, chroma * t_h / chroma_h], 1))
    return from_bt709(colour).clamp(min=0) * top


def luminance_only(light: Tensor, shown: Tensor, saturation: float = 0.0) -> Tensor:
    """The luminance of `shown`, as grey."""
    return luminance(shown).expand_as(shown)


CORRECTIONS: dict[str, Callable[..., Tensor]] = {
    "schlick": schlick,
    "linear": linear,
    "mantiuk-power": mantiuk_power,
    "mantiuk-linear": mantiuk_linear,
    "pouli": pouli,
    "luminance": luminance_only,
}


def slope(light: Tensor, shown: Tensor) -> Tensor:
    """d ln L_d / d ln L at every pixel, from the mean curve over a hundred bins; between 0 and 2."""
    result = []
    for x, y in zip(luminance(light), luminance(shown)):
        u, v = x.clamp(min=1e-9).log().detach(), y.clamp(min=1e-9).log().detach()
        low, high = u.min(), u.max()
        width = (high - low).clamp(min=1e-6) / _BINS
        place = ((u - low) / width).clamp(0, _BINS - 1e-3)
        index = place.long().flatten()
        count = torch.bincount(index, minlength=_BINS).to(u)
        sums = torch.bincount(index, weights=v.flatten(), minlength=_BINS).to(u)
        filled = torch.nonzero(count > 0).flatten()
        curve = sums[filled] / count[filled]
        if len(filled) < 3:
            result.append(torch.ones_like(x))
            continue
        steep = torch.gradient(curve, spacing=(filled.to(u) * width,))[0].clamp(0, 2)
        at = torch.searchsorted(filled, index).clamp(max=len(filled) - 1)
        result.append(steep[at].view_as(x))
    return torch.stack(result)


def exponent_for(c: Tensor, k1: float = 1.48, k2: float = 0.82) -> Tensor:
    """The exponent of C / L that matches a tone curve of slope c. Source: Mantiuk et al. 2009."""
    raised = c.clamp(min=1e-6) ** k2
    return (1 + k1) * raised / (1 + k1 * raised)


def _saturation(chroma: Tensor, lightness: Tensor) -> Tensor:
    return chroma / (chroma**2 + lightness**2 + 1e-20).sqrt()


def clip(shown: Tensor) -> Tensor:
    """Every channel clipped to 0..1; hue and luminance change."""
    return limited(shown, 0.0, 1.0)


def desaturate(shown: Tensor) -> Tensor:
    """Desaturated towards grey of the same luminance until every channel is within 0..1; white where that is brighter."""
    grey = luminance(shown).clamp(0, 1)
    high, low = shown.amax(1, keepdim=True), shown.amin(1, keepdim=True)
    keep_high = ratio(1 - grey, high - grey).where(high > 1, torch.ones_like(grey))
    keep_low = ratio(grey, grey - low).where(low < 0, torch.ones_like(grey))
    keep = keep_high.minimum(keep_low).clamp(0, 1)
    return (grey + keep * (shown - luminance(shown))).clamp(0, 1)


def scale(shown: Tensor) -> Tensor:
    """Pixels with a channel above 1 are darkened until it is 1; hue and saturation are kept."""
    return (shown / shown.amax(1, keepdim=True).clamp(min=1)).clamp(min=0)


GAMUT_MAPPINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "clip": clip,
    "desaturate": desaturate,
    "scale": scale,
}
