"""The light pictures are trained in: displays drawn anew for every batch.

Source: Chubarau et al. 2024 (HDR domain adaptation), training configuration: an SDR screen of N(100, 10) cd/m²
and an HDR-like one of N(5000, 500), both in a room of N(100, 25) lux.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hdrq.encoding.display_model import gain_offset_gamma
from hdrq.errors import UsageError
from hdrq.records import Display, Encoding
from hdrq.registry import find

_MOST_LUX = 25_000.0


@dataclass(frozen=True)
class Screen:
    """A display with a spread of peaks and rooms.

    eotf   of the code; "linear" for relative light, which `divide` brings to 0..1
    """

    peak: float
    peak_sd: float
    contrast: float
    ambient: float = 100.0
    ambient_sd: float = 25.0
    reflectance: float = 0.005
    eotf: str = "2.2"
    divide: float = 1.0

    def draw(self, random: torch.Generator | None) -> Display:
        """One display; the middle of the spread without a generator. Ambient light is drawn first, as in the program."""
        first, second = torch.randn(2, generator=random).tolist() if random is not None else (0.0, 0.0)
        lux = min(max(self.ambient + self.ambient_sd * first, 0.0), _MOST_LUX)
        peak = max(self.peak + self.peak_sd * second, 1.0)
        return Display(
            "drawn", peak, peak / self.contrast, self.eotf, ambient_lux=lux, reflectance=self.reflectance
        )


SCREENS: dict[str, Screen | None] = {
    "code": None,  # the network sees the file's own code
    "nits": None,  # the file holds cd/m²
    "sdr": Screen(100, 10, 1000),
    "sdr-constant": Screen(100, 0, 1000, ambient_sd=0.0),
    "hdr": Screen(5000, 500, 50_000),
    "hdr-linear": Screen(5000, 500, 50_000, eotf="linear", divide=65_536.0),
}


def seen(pixels: Tensor, screen: str, encoding: str, random: torch.Generator | None) -> Tensor:
    """Code that the network sees of pixels as stored (N, C, H, W): through the screen, then encoded."""
    if screen not in SCREENS:
        raise UsageError(f"no training screen is called '{screen}'; there are {', '.join(SCREENS)}")
    shown = SCREENS[screen]
    if screen == "code":
        return pixels
    code: Encoding = find("encoding", encoding)
    if shown is None:
        return code.encode(pixels.clamp(min=0), 100.0)
    display = shown.draw(random)
    return code.encode(gain_offset_gamma(pixels / shown.divide, display), display.peak_nits)
