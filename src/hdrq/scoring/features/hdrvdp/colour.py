"""Conversion of the input of HDR-VDP to light of the display's channels."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image.color import mix
from hdrq.image.transfer import srgb_to_linear
from hdrq.scoring.features.hdrvdp.spectra import TO_XYZ, Spectra, native_matrix

Colour = Literal[
    "auto", "rgb-bt.709", "rgb-bt.2020", "XYZ", "rgb-native", "sRGB-display", "luminance", "luma-display"
]
GREY = ("luminance", "luma-display")


def resolve(colour: Colour, channels: int) -> Colour:
    """What "auto" means by the number of channels, and a refusal where the two do not fit."""
    if colour == "auto":
        return "luminance" if channels == 1 else "rgb-bt.709"
    if channels != (1 if colour in GREY else 3):
        raise UsageError(f"colour={colour} does not go with {channels} channel(s); leave it out, or use auto")
    return colour


def emitted(pixels: Tensor, colour: Colour) -> Tensor:
    """Light in cd/m²: code is shown on a display of 1..100 cd/m² (gamma 2.2 or sRGB), light is unchanged."""
    if colour == "luma-display":
        return 99 * pixels**2.2 + 1
    if colour == "sRGB-display":
        return 99 * srgb_to_linear(pixels) + 1
    return pixels


def native(light: Tensor, colour: Colour, spectra: Spectra) -> Tensor:
    """Light of the display's channels, cd/m²; negative light is clamped to 1e-6."""
    standard = "rgb-bt.709" if colour == "sRGB-display" else colour
    if standard not in TO_XYZ:
        return light
    return mix(light, native_matrix(standard, spectra)).clamp(min=1e-6)


def default_spectra(spectra: Spectra | Literal["auto"], colour: Colour) -> Spectra:
    """HDR-VDP 3's display for a colour space: daylight for grey, a wide gamut for BT.2020 and XYZ."""
    if spectra != "auto":
        if colour not in GREY and spectra == "d65":
            raise UsageError("spectra=d65 is one channel's; name a display, as spectra=led-lcd-srgb")
        return spectra
    if colour in GREY:
        return "d65"
    return "oled" if colour in ("rgb-bt.2020", "XYZ") else "led-lcd-srgb"
