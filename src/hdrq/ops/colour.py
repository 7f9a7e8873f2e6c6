"""Colour spaces, derived from primaries; luminance; the classic opponent spaces of image quality."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from hdrq.types import BT709, XYZ, Primaries

# BT.709 luminance as PU21, pfstools and HDR-VDP-2 have it (gfxdisp/pu21 78340c0); six digits, and in every golden number.
LUMINANCE = (0.212656, 0.715158, 0.072186)
# MATLAB's rgb2gray: first row of the inverse of the NTSC matrix, six digits.
LUMA = (0.298936021293775, 0.587043074451121, 0.114020904255103)


@lru_cache(maxsize=32)
def rgb_to_xyz(primaries: Primaries) -> np.ndarray:
    """3x3 float64 matrix of linear RGB to CIE XYZ with Y = 1 for white. Source: SMPTE RP 177."""
    if primaries.name == XYZ.name:
        return np.eye(3)

    def lift(xy: tuple[float, float]) -> list[float]:
        return [xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]]

    columns = np.array([lift(primaries.red), lift(primaries.green), lift(primaries.blue)]).T
    return columns * np.linalg.solve(columns, np.array(lift(primaries.white)))


@lru_cache(maxsize=64)
def rgb_to_rgb(source: Primaries, target: Primaries) -> np.ndarray:
    """3x3 float64 matrix between two sets of primaries; white points are not adapted."""
    return np.linalg.solve(rgb_to_xyz(target), rgb_to_xyz(source))


def mix(pixels: Tensor, matrix: np.ndarray | Tensor) -> Tensor:
    """Apply a KxC matrix to the channels of (N, C, H, W)."""
    m = torch.as_tensor(matrix, dtype=pixels.dtype, device=pixels.device)
    n, c, h, w = pixels.shape
    return (m @ pixels.reshape(n, c, h * w)).reshape(n, m.shape[0], h, w)


def convert(pixels: Tensor, source: Primaries, target: Primaries = BT709) -> Tensor:
    """Linear RGB in other primaries. One-channel pictures stay as they are; values may leave [0, ∞)."""
    if pixels.shape[-3] == 1 or source == target:
        return pixels
    return mix(pixels, rgb_to_rgb(source, target))


def weigh(pixels: Tensor, weights: tuple[float, ...]) -> Tensor:
    """(N, 3, H, W) to (N, 1, H, W) by a weighted sum; one channel passes."""
    if pixels.shape[-3] == 1:
        return pixels
    r, g, b = pixels.unbind(-3)
    return (weights[0] * r + weights[1] * g + weights[2] * b).unsqueeze(-3)


def luminance(light: Tensor) -> Tensor:
    """Y of linear BT.709 light, same unit, (N, 1, H, W)."""
    return weigh(light, LUMINANCE)


def luma(code: Tensor) -> Tensor:
    """Y′ of code, as MATLAB's rgb2gray (without its rounding), (N, 1, H, W)."""
    return weigh(code, LUMA)
