"""Log-Gabor filters: octave-wide bands of frequency and orientation, made once per size."""

from __future__ import annotations

from functools import lru_cache
from math import log, pi
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Spread = Literal["gaussian", "cosine"]


@lru_cache(maxsize=16)
def polar(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(radius in cycles per pixel, angle in radians from +x towards +y) of every FFT coefficient, DC first.

    Odd sizes run to ±1/2 as in Kovesi's phase congruency, a hair wider than the true frequencies.
    """

    def axis(n: int) -> np.ndarray:
        line = np.arange(n) - n // 2
        return np.fft.ifftshift(line / (n - 1 if n % 2 and n > 1 else n))

    y, x = axis(height)[:, None], axis(width)[None, :]
    return np.hypot(x, y), np.arctan2(y, x)


def radial(radius: np.ndarray, wavelength: float, ratio: float) -> np.ndarray:
    """Gaussian on a log frequency axis around 1/wavelength, 0 at DC; `ratio` is its deviation over its centre."""
    with np.errstate(divide="ignore"):
        return np.exp(-(np.log(radius * wavelength) ** 2) / (2 * log(ratio) ** 2))


def angular(angle: np.ndarray, orientation: int, orientations: int, spread: Spread) -> np.ndarray:
    """One-sided weight of a direction, so that responses are complex: even part real, odd part imaginary.

    gaussian  deviation 2/3 of the spacing (HDR-VQM, FSIM)
    cosine    raised cosine that reaches 0 at the next but one orientation (Kovesi 2000s)
    """
    centre = orientation * pi / orientations
    away = np.abs(np.arctan2(np.sin(angle - centre), np.cos(angle - centre)))
    if spread == "cosine":
        return (np.cos(np.minimum(away * orientations / 2, pi)) + 1) / 2
    return np.exp(-(away**2) / (2 * (pi / orientations / 1.5) ** 2))


def responses(spectrum: Tensor, band: np.ndarray) -> Tensor:
    """Complex pictures: spectra (N, 1, H, W) through filters (K, H, W), to (N, K, H, W)."""
    return torch.fft.ifft2(
        spectrum * torch.as_tensor(band, dtype=spectrum.real.dtype, device=spectrum.device)
    )
