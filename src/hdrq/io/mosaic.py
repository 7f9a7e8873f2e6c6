"""Raw files as their sensor saw them: one colour a pixel, between the file's own black and white levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import FileError, MissingPart, UsageError

_XYZ_OF_709 = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TURNS = {3: 2, 5: 1, 6: 3}  # LibRaw's flip to quarter turns against the clock


@dataclass(frozen=True)
class Mosaic:
    """What turns merged sensor values into a picture.

    pattern  channel (0 red, 1 green, 2 blue) of the four sites at the top left, row by row
    balance  factors on camera red, green and blue, the least of them 1
    matrix   3 x 3, balanced camera colours to linear BT.709; rows sum to 1
    turns    quarter turns against the clock that set the picture upright
    """

    pattern: tuple[tuple[int, int], tuple[int, int]]
    balance: tuple[float, float, float]
    matrix: tuple[tuple[float, ...], ...]
    turns: int


def reader() -> Any:
    """rawpy, or one line on how to get it."""
    try:
        import rawpy
    except ImportError:
        raise MissingPart("this is a raw file; install the reader: pip install 'hdrq[raw]'") from None
    return rawpy


def read_mosaic(path: Path, balance: str) -> tuple[np.ndarray, Mosaic, str]:
    """((1, H, W) uint16 codes, what develops them, a note).

    Codes run from the black level of each channel, 0, to its white level, 65535; noise below black is cut there.
    """
    rawpy = reader()
    try:
        with rawpy.imread(str(path)) as raw:
            return _opened(raw, path, balance)
    except rawpy.LibRawError as error:
        raise FileError(f"{path} is damaged: {error}") from error


def _opened(raw: Any, path: Path, balance: str) -> tuple[np.ndarray, Mosaic, str]:
    values, site = raw.raw_image_visible, raw.raw_colors_visible
    names = raw.color_desc.decode("ascii", "replace")
    if values is None or raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        raise UsageError(f"{path.name} is no Bayer mosaic; merge it with --demosaic before")
    channel = ["RGB".find(c) for c in names]
    pattern = np.array(channel)[site[:2, :2]]
    if sorted(pattern.ravel()) != [0, 1, 1, 2]:
        raise UsageError(
            f"{path.name} has the colours {names}, not red, green and blue; use --demosaic before"
        )
    black = np.array(raw.black_level_per_channel, np.float32)
    white = np.array(raw.camera_white_level_per_channel or [0] * 4, np.float32)
    white = np.where((white > 0) & (white <= raw.white_level), white, raw.white_level)
    light = (values - black[site]) / (white - black)[site]
    codes = (light.clip(0, 1) * 65535 + 0.5).astype(np.uint16)[None]
    factors = _balance(raw, balance)
    note = (
        f"raw: black {[int(b) for b in black]}, white {[int(w) for w in white]}, {balance} white balance "
        f"({factors[0]:.3g} {factors[1]:.3g} {factors[2]:.3g}), demosaiced after merging"
    )
    (a, b), (c, d) = pattern.tolist()
    mosaic = Mosaic(((a, b), (c, d)), factors, _matrix(raw), _TURNS.get(raw.sizes.flip, 0))
    return np.ascontiguousarray(codes), mosaic, note


def _balance(raw: Any, wish: str) -> tuple[float, float, float]:
    said = {"camera": raw.camera_whitebalance, "daylight": raw.daylight_whitebalance}.get(wish, [1, 1, 1])
    factors = np.array(said[:3], float)
    if wish == "camera" and (not np.isfinite(factors).all() or factors.min() <= 0):
        factors = np.array(
            raw.daylight_whitebalance[:3], float
        )  # as LibRaw does where the camera said nothing
    if not np.isfinite(factors).all() or factors.min() <= 0:
        factors = np.ones(3)
    r, g, b = (factors / factors.min()).tolist()
    return r, g, b


def _matrix(raw: Any) -> tuple[tuple[float, ...], ...]:
    """From the camera's XYZ matrix, white to white, as dcraw does; the identity where the file has none."""
    camera = np.array(raw.rgb_xyz_matrix, float)[:3] @ _XYZ_OF_709
    if not np.isfinite(camera).all() or abs(np.linalg.det(camera)) < 1e-9:
        return tuple(tuple(row) for row in np.eye(3).tolist())
    return tuple(tuple(row) for row in np.linalg.inv(camera / camera.sum(1, keepdims=True)).tolist())
