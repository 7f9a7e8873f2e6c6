"""What a screen makes of a signal: EOTF, black, and the room's light coming back off the glass."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.records import Display


def raised(d: Display) -> tuple[float, float]:
    """(black, gain) of light = gain · curve(code) + black, cd/m², with the reflected light where the display puts it."""
    if d.reflection == "within":
        black = d.black_nits + d.reflected_nits
        return black, d.peak_nits - black
    return d.black_nits + d.reflected_nits, d.peak_nits - d.black_nits


def gain_offset_gamma(code: Tensor, d: Display) -> Tensor:
    """Light, cd/m², of code 0..1 (clamped) by the display's relative EOTF: "linear", "srgb", "bt1886" or a gamma.

    Source: Mantiuk & Azimi 2021 (PU21); BT.1886 annex 1, whose black is within its curve.
    """
    v = code.clamp(0, 1)
    black, gain = raised(d)
    if d.eotf == "bt1886":
        root_white, root_black = d.peak_nits ** (1 / 2.4), d.black_nits ** (1 / 2.4)
        a, b = (root_white - root_black) ** 2.4, root_black / (root_white - root_black)
        return a * (v + b) ** 2.4 + d.reflected_nits
    if d.eotf == "linear":
        curve = v
    elif d.eotf == "srgb":
        curve = torch.where(v <= 0.04045, v / 12.92, ((v.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
    else:
        curve = v ** float(d.eotf)
    return gain * curve + black


def show(nits: Tensor, d: Display) -> Tensor:
    """Absolute light as a real screen can show it: cut to [black, peak], plus the reflected light."""
    black, _ = raised(d)
    cut = nits.clamp(black if d.reflection == "within" else d.black_nits, d.peak_nits)
    return cut if d.reflection == "within" else cut + d.reflected_nits


def with_white(light: Tensor, display: Display | None, white: float | None) -> Tensor:
    """Light, cd/m², of the same signal on a screen whose white is `white` and whose black gives no light.

    light    cd/m², as it leaves `display`
    display  whose black, reflections and peak are undone; light of an absolute, linear, PQ or HLG display stays
    white    cd/m²; None: the light stays as it is
    """
    if white is None or display is None or display.eotf in ("absolute", "linear", "pq", "hlg"):
        return light
    black, gain = raised(display)
    return (light - black) * (white / gain)
