"""Phase congruency: how well the Fourier components of a picture agree at a point, whatever its contrast.

Source: Kovesi, Videre 1999; with the parameters of FSIM, Zhang et al., IEEE TIP 2011, doi:10.1109/TIP.2011.2109730
"""

from __future__ import annotations

from functools import lru_cache
from math import log, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from hdrq.ops.log_gabor import polar, radial
from hdrq.ops.roots import root
from hdrq.ops.sharing import shared

SCALES = ORIENTATIONS = 4
SHORTEST, MULT = 6.0, 2.0  # wavelength of the first scale, pixels; ratio of successive ones
BANDWIDTH = 0.55  # sigma over centre on the log frequency axis
SPREAD = pi / ORIENTATIONS / 1.2  # sigma of the angular Gaussian, radians
CUTOFF, SHARPNESS = 0.45, 15  # Butterworth low-pass, cycles per pixel
NOISE_SIGMAS, NOISE_SHARE = 2.0, 1 / 1.7
FLOOR = 1e-4


@lru_cache(maxsize=4)
def _bank(height: int, width: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Filters (orientation, scale, H, W), and how noise at the finest scale adds up over scales, (orientation,)."""
    radius, angle = polar(height, width)
    lowpass = 1 / (1 + (radius / CUTOFF) ** (2 * SHARPNESS))
    scales = np.stack([radial(radius, SHORTEST * MULT**s, BANDWIDTH) * lowpass for s in range(SCALES)])
    # image rows run down, angles up: the sign matters at the Nyquist rows of even sizes
    centres = -np.arange(ORIENTATIONS)[:, None, None] * pi / ORIENTATIONS
    away = np.abs(np.arctan2(np.sin(angle - centres), np.cos(angle - centres)))
    filters = np.exp(-(away**2) / (2 * SPREAD**2))[:, None] * scales
    mirrored = np.roll(filters[..., ::-1, ::-1], (1, 1), (-2, -1))
    even = (filters + mirrored).sum(1) / 2
    gain = 2 * (even**2).sum((-2, -1)) / (filters[:, 0] ** 2).sum((-2, -1))
    return torch.as_tensor(filters, dtype=dtype, device=device), torch.as_tensor(
        gain, dtype=dtype, device=device
    )


@shared
def phase_congruency(x: Tensor) -> Tensor:
    """(N, 1, H, W) code to (N, 1, H, W), 0 (no feature) to 1 (all scales in phase)."""
    filters, gains = _bank(x.shape[-2], x.shape[-1], x.dtype, x.device)
    # (N, orientation, scale, H, W): the even part is real, the odd part imaginary
    waves = torch.fft.ifft2(torch.fft.fft2(x).unsqueeze(1) * filters)
    size = waves.abs()
    energy = (_in_phase(waves) - _noise(size[:, :, 0], gains)).clamp(min=0).sum(1, keepdim=True)
    amplitude = size.sum((1, 2)).unsqueeze(1)
    return energy / amplitude.clamp(min=torch.finfo(x.dtype).tiny)


def _in_phase(waves: Tensor) -> Tensor:
    """Energy along the mean phase less what lies across it, summed over scales, (N, orientation, H, W)."""
    mean = waves.sum(2)
    length = mean.abs()
    across = (waves * mean.conj().unsqueeze(2)).imag.abs().sum(2)
    return (length * length - across) / (length + FLOOR)


def _noise(finest: Tensor, gains: Tensor) -> Tensor:
    """Energy that noise alone would reach, from the median of the finest scale (Rayleigh statistics)."""
    power = _median(finest.square().flatten(2)) / log(2) * gains
    threshold = root(power / 2) * (sqrt(pi / 2) + NOISE_SIGMAS * sqrt(2 - pi / 2)) * NOISE_SHARE
    return threshold[..., None, None]


def _median(x: Tensor) -> Tensor:
    """Over the last dimension; of two middle values their mean, as MATLAB has it."""
    n = x.shape[-1]
    low = x.kthvalue((n + 1) // 2, -1, keepdim=True).values
    if n % 2:
        return low.squeeze(-1)
    repeated = (x <= low).sum(-1, keepdim=True) > n // 2
    high = torch.where(x > low, x, torch.inf).amin(-1, keepdim=True)
    return ((low + torch.where(repeated, low, high)) / 2).squeeze(-1)
