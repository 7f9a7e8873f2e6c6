"""One exposure as its file holds it: integer codes, or floats; never stretched, never gamma-corrected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hdrq.errors import FileError, UsageError
from hdrq.io import identify, read
from hdrq.io.mosaic import Mosaic, read_mosaic, reader
from hdrq.ops.transfer import linear_to_srgb
from hdrq.types import Primaries

RAW = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw", ".3fr", ".iiq")


@dataclass(frozen=True)
class Frame:
    """codes      (C, H, W) uint8 or uint16; of float files, sixteen bits of value / white
    light      (C, H, W) float32 value / white, of float files only
    domain     what the code means: "srgb", "linear", "pq" ... as the reader found
    white      the value that counts as clipped in a float file
    mosaic     how to develop the one channel of codes, where a raw file was read as its sensor saw it
    """

    codes: np.ndarray
    domain: str
    primaries: Primaries
    light: np.ndarray | None = None
    white: float = 1.0
    notes: tuple[str, ...] = ()
    mosaic: Mosaic | None = None

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
    path: str | Path, white: float | None = None, balance: str = "camera", mosaic: bool = False
) -> Frame:
    """One file of a bracket.

    white    of float files: the value at which the frame clips; None is 1
    balance  of raw files: "camera", "daylight" or "none"
    mosaic   raw files are left as one colour a pixel
    """
    if Path(path).suffix.lower() in RAW:
        return _raw(Path(path), balance, mosaic)
    if mosaic:
        raise UsageError(f"{Path(path).name} is no raw file; --demosaic after needs raw files")
    image = read(path, layer="base" if identify(path).name == "jpeg" else None)
    pixels = image.pixels[0]
    if image.bits is None:
        top = white or 1.0
        if not bool(torch.isfinite(pixels).all()):
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


def _raw(path: Path, balance: str, mosaic: bool) -> Frame:
    """A raw file in linear sixteen bits: its mosaic, or BT.709, with the file's own black and white levels."""
    from hdrq.types import BT709

    rawpy = reader()
    if not path.is_file():
        raise FileError(f"{path} does not exist; check the name")
    if mosaic:
        codes, how, note = read_mosaic(path, balance)
        return Frame(codes, "linear", BT709, notes=(note,), mosaic=how)
    try:
        with rawpy.imread(str(path)) as raw:
            rows = raw.postprocess(
                gamma=(1, 1),
                no_auto_bright=True,
                no_auto_scale=False,
                adjust_maximum_thr=0.0,  # else LibRaw stretches every frame to its own brightest pixel
                output_bps=16,
                user_flip=None,
                use_camera_wb=balance == "camera",
                user_wb=[1, 1, 1, 1] if balance == "none" else None,
                output_color=rawpy.ColorSpace.sRGB,
                highlight_mode=rawpy.HighlightMode.Clip,
            )
            black, top = list(raw.black_level_per_channel), raw.white_level
    except rawpy.LibRawError as error:
        raise FileError(f"{path} is damaged: {error}") from error
    codes = np.ascontiguousarray(rows.transpose(2, 0, 1))
    note = f"raw: black {black}, white {top}, {balance} white balance, demosaiced before merging"
    return Frame(codes, "linear", BT709, notes=(note,))
