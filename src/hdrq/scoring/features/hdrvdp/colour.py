"""Colours of HDR-VDP: from pixels to light of a display's channels, and from there to what cones and rods catch."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image.color import mix
from hdrq.image.sampled import integral, monotone_cubic
from hdrq.image.transfer import srgb_to_linear
from hdrq.scoring.features.tables import table

Spectra = Literal["led-lcd-srgb", "led-lcd-wcg", "oled", "ccfl-lcd", "crt", "led-lcd", "ccfl-lcd-2", "d65"]

# HDR-VDP's grid: 420 samples of 360..780 nm, so 1.00239 nm apart.
WAVELENGTHS = np.linspace(360.0, 780.0, 420)

# Four digits, as HDR-VDP 3 has them.
TO_XYZ = {
    "rgb-bt.709": np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]),
    "rgb-bt.2020": np.array([[0.6370, 0.1446, 0.1689], [0.2627, 0.6780, 0.0593], [0.0, 0.0281, 1.0610]]),
    "XYZ": np.eye(3),
}

# Optical density of the lens at 32 years: the part that grows with age, 400..650 nm. Pokorny et al. 1987, table I.
LENS_NM = np.arange(400.0, 651.0, 10.0)
LENS = np.array(
    [0.600, 0.510, 0.433, 0.377, 0.327, 0.295, 0.267, 0.233, 0.207, 0.187, 0.167, 0.147, 0.133, 0.120,
     0.107, 0.093, 0.080, 0.067, 0.053, 0.040, 0.033, 0.027, 0.020, 0.013, 0.007, 0.0]
)  # fmt: skip
Colour = Literal[
    "auto", "rgb-bt.709", "rgb-bt.2020", "XYZ", "rgb-native", "sRGB-display", "luminance", "luma-display"
]
GREY = ("luminance", "luma-display")


def spectrum(name: str) -> np.ndarray:
    """Columns of a stored table on HDR-VDP's grid, (420, K); 0 outside the table."""
    return _resampled(name)


@lru_cache
def _resampled(name: str) -> np.ndarray:
    rows = table("hdrvdp_spectra")[name]
    found = monotone_cubic(rows[:, 0], rows[:, 1:], WAVELENGTHS)
    result: np.ndarray = np.nan_to_num(found, nan=0.0)
    return result


def emission(spectra: Spectra, channels: int) -> np.ndarray:
    """Light of each channel at full drive, (420, channels); one channel is the sum of the display's."""
    light = spectrum(spectra)
    return light.sum(1, keepdims=True) if channels == 1 else light


def catches() -> np.ndarray:
    """Sensitivity of L, M, S cones (Smith & Pokorny 1975) and rods (CIE scotopic), (420, 4)."""
    log_cones = spectrum("cones").copy()
    # outside the table
    log_cones[log_cones == 0] = log_cones.min()
    return np.concatenate([10.0**log_cones, spectrum("rods")], 1)


def lens(age: float) -> np.ndarray:
    """Transmittance of the eye's lens at an age relative to that at 32 years, (420,)."""
    growth = 1 + 0.02 * (age - 32) if age <= 60 else 1.56 + 0.0667 * (age - 60)
    density = monotone_cubic(LENS_NM, LENS * (growth - 1), np.clip(WAVELENGTHS, LENS_NM[0], LENS_NM[-1]))
    result: np.ndarray = 10.0**-density
    return result


@lru_cache
def receptor_matrix(spectra: Spectra, channels: int, age: float | None = None) -> np.ndarray:
    """(channels, 4): what L, M, S cones and rods catch of each channel.

    With an age, the lens of that age is in the way and L + M of white is scaled to 1; without (HDR-VDP 2), neither.
    """
    light = emission(spectra, channels)
    if age is not None:
        light = light * lens(age)[:, None]
    matrix = integral(light[:, :, None] * catches()[:, None], WAVELENGTHS)
    result: np.ndarray = matrix if age is None else matrix / matrix[:, :2].sum()
    return result


@lru_cache
def native_matrix(colour: str, spectra: Spectra) -> np.ndarray:
    """3x3 from a standard colour space (a key of TO_XYZ) to the display's own channels."""
    xyz = integral(spectrum("ciexyz31")[:, :, None] * spectrum(spectra)[:, None], WAVELENGTHS)
    return np.linalg.solve(xyz / xyz[1].sum(), TO_XYZ[colour])


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
