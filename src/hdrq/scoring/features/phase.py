"""Log-Gabor filters, phase congruency, and the phase agreement of FSITM."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi, sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import root
from hdrq.image.caching import cached, shared
from hdrq.image.statistics import darkest_positive

Spread = Literal["gaussian", "cosine"]


@cached(16)
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
    """Complex images: spectra (N, 1, H, W) through filters (K, H, W), to (N, K, H, W)."""
    result: Tensor = torch.fft.ifft2(
        spectrum * torch.as_tensor(band, dtype=spectrum.real.dtype, device=spectrum.device)
    )
    return result


SCALES = ORIENTATIONS = 4
# wavelength of the first scale, pixels; ratio of successive ones
SHORTEST, MULT = 6.0, 2.0
# sigma over centre on the log frequency axis
BANDWIDTH = 0.55
# sigma of the angular Gaussian, radians
SPREAD = pi / ORIENTATIONS / 1.2
# Butterworth low-pass, cycles per pixel
CUTOFF, SHARPNESS = 0.45, 15
NOISE_SIGMAS, NOISE_SHARE = 2.0, 1 / 1.7
FLOOR = 1e-4


@cached(4)
def _bank(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(scales, even and odd parts of the orientations, how noise at the finest scale adds up over scales by orientation).

    Filters are (4, H, W, 2), every value twice: for the real and the imaginary part of a coefficient.
    """
    radius, angle = polar(height, width)
    lowpass = 1 / (1 + (radius / CUTOFF) ** (2 * SHARPNESS))
    scales = np.stack([radial(radius, SHORTEST * MULT**s, BANDWIDTH) * lowpass for s in range(SCALES)])
    # image rows run down, angles up: the sign matters at the Nyquist rows of even sizes
    centres = -np.arange(ORIENTATIONS)[:, None, None] * pi / ORIENTATIONS
    away = np.abs(np.arctan2(np.sin(angle - centres), np.cos(angle - centres)))
    one_sided = np.exp(-(away**2) / (2 * SPREAD**2))
    mirrored = np.roll(one_sided[..., ::-1, ::-1], (1, 1), (-2, -1))
    even, odd = (one_sided + mirrored) / 2, (one_sided - mirrored) / 2
    gains = 2 * ((even * scales.sum(0)) ** 2).sum((-2, -1)) / ((one_sided * scales[0]) ** 2).sum((-2, -1))
    twice = (np.repeat(f[..., None], 2, -1) for f in (scales, even, odd))
    bands, line, step, gain = (torch.as_tensor(v, dtype=dtype, device=device) for v in (*twice, gains))
    return bands, line, step, gain


@shared
def phase_congruency(x: Tensor) -> Tensor:
    """(N, 1, H, W) code to (N, 1, H, W), 0 (no feature) to 1 (all scales in phase).

    Two images are the real and the imaginary part of one: even and odd responses of a real image are real, so that one
    transform back gives those of both.
    """
    n, _, h, w = x.shape
    first, second = x[: (n + 1) // 2, 0], x[(n + 1) // 2 :, 0]
    if n % 2:
        second = torch.cat([second, torch.zeros_like(first[:1])])
    spectrum = torch.fft.fft2(torch.complex(first, second))
    bands, lines, steps, gains = _bank(h, w, x.dtype, x.device)
    halves = [[torch.view_as_real(s) * band for band in bands] for s in (spectrum, spectrum * -1j)]
    energies, amplitudes = [], []
    for line, step, gain in zip(lines, steps, gains):
        even, odd = ([_back(s * f) for s in half] for half, f in zip(halves, (line, step)))
        powers = [(a * a).addcmul_(b, b) for a, b in zip(even, odd)]
        energies.append((_in_phase(even, odd) - _noise(powers[0], gain)).clamp(min=0))
        amplitudes.append(_sum([root(p) if p.requires_grad else p.sqrt_() for p in powers]))
    congruency = _sum(energies) / _sum(amplitudes).clamp(min=torch.finfo(x.dtype).tiny)
    return congruency.movedim(-1, 0).flatten(0, 1)[:n, None].contiguous()


def _back(parts: Tensor) -> Tensor:
    """Both images (N, H, W, 2) of a spectrum in two parts."""
    return torch.view_as_real(torch.fft.ifft2(torch.view_as_complex(parts)))


def _sum(parts: Sequence[Tensor]) -> Tensor:
    first, second, *rest = parts
    total = first + second
    for part in rest:
        total = total.add_(part)
    return total


def _in_phase(even: Sequence[Tensor], odd: Sequence[Tensor]) -> Tensor:
    """Energy along the mean phase less what lies across it, summed over scales."""
    mean_even, mean_odd = _sum(even), _sum(odd)
    across = _sum([(b * mean_even).addcmul_(a, mean_odd, value=-1).abs_() for a, b in zip(even, odd)])
    square = (mean_even * mean_even).addcmul_(mean_odd, mean_odd)
    return (square - across) / (root(square) + FLOOR)


def _noise(power: Tensor, gain: Tensor) -> Tensor:
    """Energy that noise alone would reach, (N, 1, 1, 2), from the median power of the finest scale (N, H, W, 2).

    Noise is of Rayleigh statistics.
    """
    power = _median(power.movedim(-1, 1).flatten(2)) / log(2) * gain
    threshold = root(power / 2) * (sqrt(pi / 2) + NOISE_SIGMAS * sqrt(2 - pi / 2)) * NOISE_SHARE
    return threshold[:, None, None]


def _median(x: Tensor) -> Tensor:
    """Over the last dimension; of two middle values their mean, as in MATLAB."""
    n = x.shape[-1]
    # a partition is several times as fast as kthvalue
    if x.device.type == "cpu" and not x.requires_grad:
        rows = x.reshape(-1, n).numpy()
        return x.new_tensor([_middle(row) for row in rows]).view(x.shape[:-1])
    low = x.kthvalue((n + 1) // 2, -1, keepdim=True).values
    if n % 2:
        return low.squeeze(-1)
    repeated = (x <= low).sum(-1, keepdim=True) > n // 2
    high = torch.where(x > low, x, torch.inf).amin(-1, keepdim=True)
    return ((low + torch.where(repeated, low, high)) / 2).squeeze(-1)


def _middle(x: np.ndarray) -> float:
    """Median of (P,): of the values between two that a sample of every 67th puts around it, where it is among them."""
    n, rank = len(x), len(x) // 2
    sample = np.sort(x[::67])
    low, high = sample[int(0.46 * len(sample))], sample[int(0.54 * len(sample))]
    below, near = int(np.count_nonzero(x < low)), x[(x >= low) & (x <= high)]
    if not below < rank < below + len(near):
        below, near = 0, x
    near = np.partition(near, rank - below)
    above = float(near[rank - below])
    return above if n % 2 else (float(near[: rank - below].max()) + above) / 2


FSITM_ORIENTATIONS, RATIO = 2, 0.65


@cached(4)
def _phase_agreement_bank(
    height: int, width: int, wavelength: float, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Filters of two scales added, for rfft2: (even, over all orientations; odd, by orientation)."""
    radius, angle = polar(height, width)
    low = 1 / (1 + (radius / 0.45) ** 30)
    band = low * (radial(radius, wavelength, RATIO) + radial(radius, wavelength * factor, RATIO))
    # Kovesi counts anticlockwise; it matters in the row of the highest frequency
    upward = -angle
    one_sided = np.stack(
        [band * angular(upward, o, FSITM_ORIENTATIONS, "cosine") for o in range(FSITM_ORIENTATIONS)]
    )
    mirrored = np.roll(one_sided[:, ::-1, ::-1], 1, (1, 2))
    half = slice(width // 2 + 1)
    return (one_sided + mirrored).sum(0)[:, half] / 2, (one_sided - mirrored)[:, :, half] / 2


def phase(x: Tensor, wavelength: float, factor: float) -> Tensor:
    """Locally weighted mean phase angle, (N, C, H, W): pi/2 on a bright line, 0 on a step, -pi/2 on a dark line."""
    h, w = x.shape[-2:]
    even, odd = (
        torch.as_tensor(b, dtype=x.dtype, device=x.device)
        for b in _phase_agreement_bank(h, w, wavelength, factor)
    )
    spectrum = torch.fft.rfft2(x)
    line = torch.fft.irfft2(spectrum * even, s=(h, w))
    step = [torch.fft.irfft2(-1j * spectrum * o, s=(h, w)) for o in odd]
    return torch.atan2(line, torch.hypot(*step))


def brightness(x: Tensor, wavelength: float, factor: float) -> Tensor:
    """The part of `phase` that decides its sign."""
    h, w = x.shape[-2:]
    even = torch.as_tensor(_phase_agreement_bank(h, w, wavelength, factor)[0], dtype=x.dtype, device=x.device)
    result: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * even, s=(h, w))
    return result


def agreement(ref: Tensor, dist: Tensor) -> Tensor:
    """(N, C, H, W), 1 where the phases of linear light and of code 0..255 have the same sign, else 0.

    The light's logarithm, in 8 bits, meets the code at wavelengths of 2 and 4 pixels. From half a megapixel on,
    linear light and code are also compared at 8 and 64 pixels, with a weight that grows with the size.
    """
    # one by one: FFTs like to stay in cache
    planes = zip(ref.double().flatten(0, 1), dist.double().flatten(0, 1))
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
    """Logarithm scaled to integers 0..255; values of at most 0 are replaced by the smallest positive one."""
    log = light.where(light > 0, darkest_positive(light)).log()
    low, high = log.amin(), log.amax()
    return (255 * (log - low) / (high - low).clamp(min=1e-12) + 0.5).floor()
