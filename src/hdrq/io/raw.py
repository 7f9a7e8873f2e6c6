"""Raw files: sensor values between black and white level, or demosaiced by LibRaw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.image.color import mix, rgb_to_xyz
from hdrq.io.formats import RAW_SUFFIXES
from hdrq.io.memory import afford
from hdrq.records import BT709, Image

SUFFIXES = RAW_SUFFIXES
Factors = tuple[float, float, float]
# share of sites with the same value above which the sensor clips there
_PILE = 1e-3
# LibRaw's flip as counter-clockwise quarter turns
_TURNS = {3: 2, 5: 1, 6: 3}


@dataclass(frozen=True)
class Sensor:
    """Data needed to turn merged sensor values into an image.

    balance  white-balance factors of camera red, green and blue, the smallest 1
    matrix   3 x 3, from balanced camera colours to linear BT.709; rows sum to 1
    pattern  channel (0 red, 1 green, 2 blue) of the four top left sites, row by row; None for demosaiced pixels,
             which are already balanced
    turns    counter-clockwise quarter turns that make the image upright
    """

    balance: Factors
    matrix: tuple[tuple[float, ...], ...]
    pattern: tuple[tuple[int, int], tuple[int, int]] | None = None
    turns: int = 0


def reader() -> Any:
    """The module rawpy; MissingPart without it."""
    try:
        import rawpy
    except ImportError:
        raise MissingPart("this is a raw file; install the reader: pip install 'hdrq[raw]'") from None
    return rawpy


def read_raw(
    path: Path,
    balance: str | Factors,
    mosaic: bool,
    black: float | None = None,
    white: float | None = None,
) -> tuple[np.ndarray, Sensor, str, tuple[str, ...]]:
    """((1, H, W) or (3, H, W) uint16 codes, data for the image, the levels in words, notes).

    Codes are 0 at the black level of each channel and 65535 at its white level; values below black are clipped. Three
    channels are camera colours that are already balanced, so that clipping on the sensor is at 65535.

    black, white  levels of all channels, overriding the file's
    """
    rawpy = reader()
    if not path.is_file():
        raise FileError(f"{path} does not exist; check the name")
    try:
        with rawpy.imread(str(path)) as raw:
            afford(path, raw.sizes.width, raw.sizes.height, 24)
            low, high = _levels(raw, path.name, black, white)
            factors = _balance(raw, balance)
            wish = balance if isinstance(balance, str) else "given"
            note = (
                f"black {_each(low)}, white {_each(high)}, {wish} white balance of {path.name} "
                f"({factors[0]:.4g} {factors[1]:.4g} {factors[2]:.4g}), demosaiced "
                f"{'after' if mosaic else 'before'} merging"
            )
            doubts = _doubts(raw, path.name, high)
            if mosaic:
                codes, pattern = _sites(raw, path.name, low, high)
                turns = _TURNS.get(raw.sizes.flip, 0)
                return codes, Sensor(factors, _matrix(raw), pattern, turns), note, doubts
            above = None if white is None else white - float(low.min())
            codes = _interpolated(rawpy, raw, path.name, factors, black, above)
            return codes, Sensor(factors, _matrix(raw)), note, doubts
    except rawpy.LibRawError as error:
        raise FileError(f"{path} is damaged: {error}") from error


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 3, H, W) linear BT.709 light, 1.0 = the sensor's white level, by LibRaw with the camera's white balance."""
    codes, sensor, words, doubts = read_raw(path, "camera", False)
    light = torch.from_numpy(codes.astype(np.float32) / 65535)[None]
    pixels = mix(light.double(), np.array(sensor.matrix)).float()
    notes = (f"raw file developed: {words}", *doubts)
    return Image(pixels, "linear", notes=notes, path=str(path), exposed=True)


def shutter(path: Path) -> tuple[float | None, float | None, float | None]:
    """(seconds, ISO, f-number) from LibRaw, also for files that are not TIFF; None where unknown."""
    rawpy = reader()
    try:
        with rawpy.imread(str(path)) as raw:
            said = getattr(raw, "other", None)
    except (rawpy.LibRawError, OSError):
        return None, None, None
    seconds, iso, fnumber = (getattr(said, n, 0) or None for n in ("shutter", "iso_speed", "aperture"))
    return seconds, iso, fnumber


def _each(levels: np.ndarray) -> str:
    """One number where all are equal, else all."""
    return " ".join(f"{v:g}" for v in (levels[:1] if np.ptp(levels) == 0 else levels))


def _levels(raw: Any, name: str, black: float | None, white: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Black and white levels of LibRaw's four channels, or the given ones."""
    low = np.array(raw.black_level_per_channel, np.float32)
    high = np.array(raw.camera_white_level_per_channel or [0] * 4, np.float32)
    high = np.where((high > 0) & (high <= raw.white_level), high, raw.white_level)
    low = low if black is None else np.full_like(low, black)
    high = high if white is None else np.full_like(high, white)
    if not (low < high).all():
        raise UsageError(
            f"{name}: black {_each(low)} is not below white {_each(high)}; give other --black or --white"
        )
    return low, high


def _doubts(raw: Any, name: str, white: np.ndarray) -> tuple[str, ...]:
    """A note where many sites have the largest value below the white level, which means that the sensor clips there."""
    values = raw.raw_image_visible
    if values is None:
        return ()
    most = int(values.max())
    if most >= white.min() or most < 0.5 * white.min() or (values == most).mean() < _PILE:
        return ()
    return (
        f"many sites of {name} have the value {most}, below white {_each(white)}: if the sensor clips there,  "
        f"give --white {most}",
    )


def _sites(
    raw: Any, name: str, black: np.ndarray, white: np.ndarray
) -> tuple[np.ndarray, tuple[tuple[int, int], tuple[int, int]]]:
    values, site = raw.raw_image_visible, raw.raw_colors_visible
    colours = raw.color_desc.decode("ascii", "replace")
    if values is None or raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        raise UsageError(f"{name} has no Bayer mosaic; use --demosaic before")
    (a, b), (c, d) = np.array(["RGB".find(c) for c in colours])[site[:2, :2]].tolist()
    if sorted((a, b, c, d)) != [0, 1, 1, 2] or (a == 1) != (d == 1):
        raise UsageError(
            f"{name} has colours {colours} that do not form a Bayer pattern; use --demosaic before"
        )
    light = (values - black[site]) / (white - black)[site]
    codes = (light.clip(0, 1) * 65535 + 0.5).astype(np.uint16)[None]
    return np.ascontiguousarray(codes), ((a, b), (c, d))


def _interpolated(
    rawpy: Any, raw: Any, name: str, factors: Factors, black: float | None, above: float | None
) -> np.ndarray:
    """Camera colours at every pixel by LibRaw, upright, (3, H, W)."""
    rows = raw.postprocess(
        gamma=(1, 1),
        no_auto_bright=True,
        no_auto_scale=False,
        # otherwise LibRaw scales every frame to its brightest pixel
        adjust_maximum_thr=0.0,
        output_bps=16,
        user_flip=None,
        user_wb=[*factors, factors[1]],
        user_black=None if black is None else round(black),
        # relative to black
        user_sat=None if above is None else round(above),
        output_color=rawpy.ColorSpace.raw,
        highlight_mode=rawpy.HighlightMode.Clip,
    )
    if rows.shape[-1] != 3:
        raise UsageError(f"{name} is not from a three-colour camera; convert it to a linear TIFF first")
    return np.ascontiguousarray(rows.transpose(2, 0, 1))


def _balance(raw: Any, wish: str | Factors) -> Factors:
    if not isinstance(wish, str):
        factors = np.array(wish, float)
    else:
        said = {"camera": raw.camera_whitebalance, "daylight": raw.daylight_whitebalance}
        factors = np.array(said.get(wish, [1, 1, 1])[:3], float)
    if wish == "camera" and (not np.isfinite(factors).all() or factors.min() <= 0):
        # LibRaw's choice without camera white balance
        factors = np.array(raw.daylight_whitebalance[:3], float)
    if not np.isfinite(factors).all() or factors.min() <= 0:
        factors = np.ones(3)
    r, g, b = (factors / factors.min()).tolist()
    return r, g, b


def _matrix(raw: Any) -> tuple[tuple[float, ...], ...]:
    """From the camera's XYZ matrix, mapping white to white, as in dcraw; the identity where the file has none."""
    camera = np.array(raw.rgb_xyz_matrix, float)[:3] @ rgb_to_xyz(BT709)
    if not np.isfinite(camera).all() or abs(np.linalg.det(camera)) < 1e-9:
        return tuple(tuple(row) for row in np.eye(3).tolist())
    return tuple(tuple(row) for row in np.linalg.inv(camera / camera.sum(1, keepdims=True)).tolist())
