"""Where two pictures agree whether they are brighter or darker than their surround: the heart of FSITM."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from hdrq.ops.log_gabor import angular, polar, radial
from hdrq.ops.scene import darkest_positive

ORIENTATIONS, RATIO = 2, 0.65


@lru_cache(maxsize=4)
def _bank(height: int, width: int, wavelength: float, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Filters of two scales added, for rfft2: (even, over all orientations; odd, by orientation)."""
    radius, angle = polar(height, width)
    low = 1 / (1 + (radius / 0.45) ** 30)
    band = low * (radial(radius, wavelength, RATIO) + radial(radius, wavelength * factor, RATIO))
    upward = -angle  # Kovesi counts anticlockwise; it matters in the row of the highest frequency
    one_sided = np.stack([band * angular(upward, o, ORIENTATIONS, "cosine") for o in range(ORIENTATIONS)])
    mirrored = np.roll(one_sided[:, ::-1, ::-1], 1, (1, 2))
    half = slice(width // 2 + 1)
    return (one_sided + mirrored).sum(0)[:, half] / 2, (one_sided - mirrored)[:, :, half] / 2


def phase(x: Tensor, wavelength: float, factor: float) -> Tensor:
    """Locally weighted mean phase angle, (N, C, H, W): pi/2 on a bright line, 0 on a step, -pi/2 on a dark line."""
    h, w = x.shape[-2:]
    even, odd = (torch.as_tensor(b, dtype=x.dtype, device=x.device) for b in _bank(h, w, wavelength, factor))
    spectrum = torch.fft.rfft2(x)
    line = torch.fft.irfft2(spectrum * even, s=(h, w))
    step = [torch.fft.irfft2(-1j * spectrum * o, s=(h, w)) for o in odd]
    return torch.atan2(line, torch.hypot(*step))


def brightness(x: Tensor, wavelength: float, factor: float) -> Tensor:
    """The part of `phase` that decides its sign."""
    h, w = x.shape[-2:]
    even = torch.as_tensor(_bank(h, w, wavelength, factor)[0], dtype=x.dtype, device=x.device)
    return torch.fft.irfft2(torch.fft.rfft2(x) * even, s=(h, w))


def agreement(ref: Tensor, dist: Tensor) -> Tensor:
    """(N, C, H, W), 1 where the phases of linear light and of code 0..255 have the same sign, else 0.

    The light's logarithm, in 8 bits, meets the code at wavelengths of 2 and 4 pixels. From half a megapixel on,
    linear light and code are also compared at 8 and 64 pixels, with a weight that grows with the size.
    """
    planes = zip(
        ref.double().flatten(0, 1), dist.double().flatten(0, 1)
    )  # one by one: FFTs like to stay in cache
    return torch.stack([_alike(light[None, None], code[None, None]) for light, code in planes]).reshape(
        ref.shape
    )


def _alike(light: Tensor, code: Tensor) -> Tensor:
    logarithm = _eight_bit_log(light)
    size = light.numel() // 2**18
    if size < 2:
        return (brightness(logarithm, 2, 2) > 0) == (brightness(code, 2, 2) > 0)
    scene, image = (
        phase(small, 2, 2) / size + phase(large, 8, 8) * (1 - 1 / size) > 0
        for small, large in ((logarithm, light), (code, code))
    )
    return scene == image


def _eight_bit_log(light: Tensor) -> Tensor:
    """Logarithm stretched to whole numbers 0..255; what is not above 0 counts as the smallest light that is."""
    log = light.where(light > 0, darkest_positive(light)).log()
    low, high = log.amin(), log.amax()
    return (255 * (log - low) / (high - low).clamp(min=1e-12) + 0.5).floor()
