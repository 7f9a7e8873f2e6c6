"""Display augmentation: training images are shown on a random display, drawn for every batch.

Source: Chubarau et al. 2024 (HDR domain adaptation), training configuration: an SDR display of N(100, 10) cd/m²
and an HDR-like one of N(5000, 500), both in ambient light of N(100, 25) lux.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hdrq.encoding.display_model import gain_offset_gamma
from hdrq.errors import DomainError, UsageError
from hdrq.records import Display, Encoding
from hdrq.registry import find

_MOST_LUX = 25_000.0


@dataclass(frozen=True)
class DisplayDistribution:
    """Normal distributions of a display's peak luminance and ambient light.

    peak, peak_sd        cd/m²; 0 where the pixel values are used without a display
    contrast             black is peak / contrast
    ambient, ambient_sd  lux
    eotf                 of the code; "linear" for relative light, which is divided by `divide` to give 0..1
    reads_light          whether the images hold light rather than code
    """

    peak: float = 0.0
    peak_sd: float = 0.0
    contrast: float = 1000.0
    ambient: float = 100.0
    ambient_sd: float = 25.0
    reflectance: float = 0.005
    eotf: str = "2.2"
    divide: float = 1.0
    reads_light: bool = False

    def draw(self, random: torch.Generator | None, spread: float = 1.0) -> Display:
        """Draw a display; without a generator, the mean display. Ambient light is drawn first, as in the authors' program.

        spread  factor on the standard deviations
        """
        first, second = torch.randn(2, generator=random).tolist() if random is not None else (0.0, 0.0)
        lux = min(max(self.ambient + spread * self.ambient_sd * first, 0.0), _MOST_LUX)
        peak = max(self.peak + spread * self.peak_sd * second, 1.0)
        return Display(
            "drawn", peak, peak / self.contrast, self.eotf, ambient_lux=lux, reflectance=self.reflectance
        )


DISPLAYS: dict[str, DisplayDistribution] = {
    # the network reads the code of the file
    "code": DisplayDistribution(),
    # the file holds cd/m²
    "nits": DisplayDistribution(reads_light=True),
    "sdr": DisplayDistribution(100, 10, 1000),
    # contrast of the paper's text; its program has 1000:1
    "sdr-200": DisplayDistribution(100, 10, 200),
    "sdr-constant": DisplayDistribution(100, 0, 1000, ambient_sd=0.0),
    "hdr": DisplayDistribution(5000, 500, 50_000),
    "hdr-linear": DisplayDistribution(5000, 500, 50_000, eotf="linear", divide=65_536.0, reads_light=True),
}


def refuse_display(path: str, light: bool, display: str) -> None:
    """Raise DomainError where an image of light is shown on a display of code, or code on a display of light.

    light  whether the image at `path` holds light
    """
    if display not in DISPLAYS or light == DISPLAYS[display].reads_light:
        return
    fit = [n for n, d in DISPLAYS.items() if d.reads_light == light]
    raise DomainError(
        f"{path} holds {'light' if light else 'code'}, but the display '{display}' shows "
        f"{'code' if light else 'light'}; set source_display or target_display to {', '.join(fit)}"
    )


def refuse_code_of(display: str, encoding: str) -> None:
    """Raise UsageError where a display cannot give the code that a network reads.

    Light has no sRGB code without a tone curve, and the code of a file is not that of an encoding of absolute light.
    """
    if display not in DISPLAYS:
        raise UsageError(f"there is no training display '{display}'; use one of {', '.join(DISPLAYS)}")
    code: Encoding = find("encoding", encoding)
    if DISPLAYS[display].reads_light and not code.absolute:
        raise UsageError(
            f"the display '{display}' shows light, but the network reads {encoding} code; train it on PU21 code: "
            "--set encoding=pu21 --set white=pmax"
        )
    if display == "code" and code.absolute:
        raise UsageError(
            f"the display 'code' gives the code of the files, but the network reads {encoding} code of light; use the "
            "display sdr or hdr"
        )


def displayed_code(
    pixels: Tensor, display: str, encoding: str, random: torch.Generator | None, spread: float = 1.0
) -> Tensor:
    """Code that the network reads, from stored pixels (N, C, H, W): shown on a display, then encoded.

    spread  factor on the standard deviations of the display
    """
    if display not in DISPLAYS:
        raise UsageError(f"there is no training display '{display}'; use one of {', '.join(DISPLAYS)}")
    if display == "code":
        return pixels
    code: Encoding = find("encoding", encoding)
    shown = DISPLAYS[display]
    if not shown.peak:
        return code.encode(pixels.clamp(min=0), 100.0)
    drawn = shown.draw(random, spread)
    return code.encode(gain_offset_gamma(pixels / shown.divide, drawn), drawn.peak_nits)
