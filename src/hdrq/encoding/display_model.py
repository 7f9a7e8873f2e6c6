"""Light of a display from code: gamma, sRGB, PQ and HLG with black level and reflected ambient light; and a panel
before LEDs that are dimmed one by one.
"""

from __future__ import annotations

from math import log10

import torch.nn.functional as F
from torch import Tensor

from hdrq.image.blur import gaussian_blur
from hdrq.image.transfer import srgb_to_linear
from hdrq.records import Display
from hdrq.registry import find

# share of the peak, so that a backlight that is off divides nothing
_DARK = 1e-9


def raised(d: Display) -> tuple[float, float]:
    """(black, gain) of light = gain · curve(code) + black, cd/m², with the reflected light included."""
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
        result: Tensor = a * (v + b) ** 2.4 + d.reflected_nits
        return result
    if d.eotf == "linear":
        curve = v
    elif d.eotf == "srgb":
        curve = srgb_to_linear(v)
    else:
        curve = v ** float(d.eotf)
    if d.exposure != 1:
        curve = (curve * d.exposure).clamp(0, 1)
    return gain * curve + black


def show(nits: Tensor, d: Display) -> Tensor:
    """Absolute light as a display shows it: clipped to [black, peak], plus the reflected light; see Display.lift."""
    light = nits if d.exposure == 1 else nits * d.exposure
    if d.led_pitch:
        light = two_layers(light.clamp(0, d.peak_nits), d)
    if d.reflection == "within":
        return light.clamp(max(d.floor_nits, raised(d)[0]), d.peak_nits)
    if d.lift == "added":
        return light.clamp(d.floor_nits, d.peak_nits) + (d.black_nits + d.reflected_nits)
    return light.clamp(max(d.floor_nits, d.black_nits), d.peak_nits) + d.reflected_nits


def lowest(d: Display) -> float:
    """The smallest light, cd/m², that `show` does not raise."""
    if d.reflection == "within":
        return max(d.floor_nits, raised(d)[0])
    return max(d.floor_nits, d.black_nits if d.lift == "cut" else 0.0)


def _ambient_gamma(d: Display) -> float | None:
    """System gamma of HLG in ambient light; None: that of BT.2100 for the peak. Source: ITU-R BT.2390-11."""
    if d.system_gamma == "bt2100":
        return None
    if d.peak_nits <= 1000:
        return 1.2
    return 1.2 + 0.42 * log10(d.peak_nits / 1000) - 0.07623 * log10(d.ambient_lux / 5)


def hlg_light(code: Tensor, d: Display) -> Tensor:
    """Light of HLG code (N, C, H, W) for a display's peak, without its black and reflections."""
    light: Tensor = find("encoding", "hlg").decode(code, d.peak_nits, _ambient_gamma(d))
    return light


def hlg_code(light: Tensor, d: Display) -> Tensor:
    """Inverse of `hlg_light`."""
    code: Tensor = find("encoding", "hlg").encode(light, d.peak_nits, _ambient_gamma(d))
    return code


def lifted(light: Tensor, d: Display) -> Tensor:
    """`show` of the light of HLG code; see Display.lift."""
    if d.lift != "scaled":
        return show(light, d)
    black, gain = raised(d)
    return light * (gain / d.peak_nits) + black


def show_hlg(code: Tensor, d: Display) -> Tensor:
    """Light of HLG code (N, C, H, W) on a display."""
    return lifted(hlg_light(code, d), d)


def without_black(light: Tensor, d: Display) -> Tensor:
    """The light that a signal states when `d` shows it as `light`, cd/m²: what the display adds as its black is taken away."""
    black, gain = raised(d)
    if d.eotf in ("pq", "hlg") and d.lift != "scaled":
        return light - black if d.lift == "added" else light
    return (light - black) * (d.peak_nits / gain)


def with_white(light: Tensor, display: Display | None, white: float | None) -> Tensor:
    """Light, cd/m², of the same signal on a display with white `white` and a black of 0.

    light    cd/m², as it leaves `display`
    display  whose black, reflections and peak are inverted; light of absolute, light, linear, PQ and HLG displays is unchanged
    white    cd/m²; None: the light is unchanged
    """
    if white is None or display is None or display.eotf in ("absolute", "light", "linear", "pq", "hlg"):
        return light
    black, gain = raised(display)
    return (light - black) * (white / gain)


def two_layers(light: Tensor, d: Display) -> Tensor:
    """Light (N, C, H, W), cd/m², that leaves the panel for the light that is wanted, 0 .. peak.

    An LED is driven to the brightest channel of its cell, a square of `led_pitch` pixels from the top left corner, and
    fills the cell evenly before its light spreads. The panel transmits what is missing: a share of the backlight between
    1 / panel_contrast and 1. So highlights that are small beside a cell's spread are dim, and blacks near them glow.

    Source: the two layers of Seetzen et al. 2004, doi:10.1145/1015706.1015797, with a Gaussian as the spread of a LED.
    """
    h, w = light.shape[-2:]
    cell = round(d.led_pitch)
    wanted = F.pad(light.amax(1, keepdim=True), (0, -w % cell, 0, -h % cell), mode="replicate")
    drive = F.max_pool2d(wanted, cell) / d.peak_nits
    lit = drive.repeat_interleave(cell, -2).repeat_interleave(cell, -1)
    backlight = d.peak_nits * gaussian_blur(lit, d.led_spread)[..., :h, :w]
    share = light / backlight.clamp(min=_DARK * d.peak_nits)
    return backlight * share.clamp(1 / d.panel_contrast, 1.0)


def about(d: Display) -> tuple[str, ...]:
    """How the light was made, for the row; nothing for a display of one layer."""
    if not d.led_pitch:
        return ()
    return (
        f"two layers: an LED every {d.led_pitch:g} pixels, spread {d.led_spread:g}, panel {d.panel_contrast:g}:1",
    )
