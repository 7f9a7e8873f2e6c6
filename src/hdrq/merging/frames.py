"""One exposure as its file holds it: integer codes, or floats; never stretched, never gamma-corrected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hdrq.errors import FileError, UsageError
from hdrq.image.arithmetic import all_finite
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import identify, read
from hdrq.io.raw import SUFFIXES, Factors, Sensor, read_raw
from hdrq.records import BT709, Primaries


@dataclass(frozen=True)
class Frame:
    """codes      (C, H, W) uint8 or uint16; of float files, sixteen bits of value / white
    light      (C, H, W) float32 value / white, of float files only
    domain     what the code means: "srgb", "linear", "pq" ... as the reader found
    white      the value that counts as clipped in a float file
    sensor     how codes of raw files, merged, become a picture;  raw: their levels and white balance, in words
    """

    codes: np.ndarray
    domain: str
    primaries: Primaries
    light: np.ndarray | None = None
    white: float = 1.0
    notes: tuple[str, ...] = ()
    sensor: Sensor | None = None
    raw: str = ""

    @property
    def levels(self) -> int:
        return 256 if self.codes.dtype == np.uint8 else 65536

    @property
    def size(self) -> tuple[int, int]:
        return int(self.codes.shape[1]), int(self.codes.shape[2])

    def eight(self) -> np.ndarray:
        """(C, H, W) uint8 codes to look at: linear ones brightened as sRGB does."""
        if self.codes.dtype == np.uint8:
            return self.codes
        x = torch.arange(65536, dtype=torch.float32) / 65535
        x = linear_to_srgb(x) if self.domain in ("linear", "nits") else x
        return (x * 255).round().to(torch.uint8).numpy()[self.codes]


def read_frame(
    path: str | Path,
    white: float | None = None,
    balance: str | Factors = "camera",
    mosaic: bool = False,
    black: float | None = None,
) -> Frame:
    """One file of a bracket.

    white    the value at which the frame clips: of float files, None is 1; of raw files, None is what they say
    black    of raw files: the value without light; None is what they say
    balance  of raw files: "camera", "daylight", "none", or factors on red, green and blue
    mosaic   raw files are left as one colour a pixel
    """
    if Path(path).suffix.lower() in SUFFIXES:
        codes, sensor, words, doubts = read_raw(Path(path), balance, mosaic, black, white)
        return Frame(codes, "linear", BT709, notes=doubts, sensor=sensor, raw=words)
    if mosaic:
        raise UsageError(f"{Path(path).name} is no raw file; --demosaic after needs raw files")
    image = read(path, layer="base" if identify(path).name == "jpeg" else None)
    pixels = image.pixels[0]
    if image.bits is None:
        top = white or 1.0
        if not all_finite(pixels):
            raise FileError(f"{path} holds NaN or Inf; mend it before merging")
        light = (pixels / top).clamp(min=0)
        codes = (light.clamp(max=1) * 65535).round().to(torch.int32).numpy().astype(np.uint16)
        return Frame(codes, "linear", image.primaries, light.numpy(), top, image.notes)
    most, kind = (255, np.uint8) if image.bits <= 8 else (65535, np.uint16)
    codes = (
        (pixels * most)
        .round()
        .to(torch.uint8 if most == 255 else torch.int32)
        .numpy()
        .astype(kind, copy=False)
    )
    return Frame(codes, image.domain, image.primaries, notes=image.notes)
