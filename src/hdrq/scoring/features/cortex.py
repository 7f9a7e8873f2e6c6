"""The channels of the visual cortex: bands of one octave in six orientations, as complex numbers.

Watson, "The cortex transform", 1987, doi:10.1016/S0734-189X(87)80184-6; shapes of the filters after Daly, "The visible
differences predictor", 1993. The filters of all channels and of the base band add up to 1. The real part of a channel is its
signal; the magnitude is the amplitude of the wave there, which does not fall to zero where the signal crosses zero.
The Nyquist frequency, which has no direction, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

ORIENTATIONS = 6
TRANSITION = 2 / 3  # of a low-pass filter's half-amplitude frequency


def channel_rate(level: int, ppd: float) -> float:
    """Frequency in the middle of an octave, cycles per degree; level 0 is the finest, up to the Nyquist frequency."""
    return ppd / 2 * float(2.0 ** -(level + 0.5))


def padded(x: Tensor, levels: int) -> tuple[Tensor, int]:
    """(N, 1, H, W) mirrored to a size that every level divides, and the margin above and to the left of it.

    The edge pixel is repeated; a margin is at least one period of the coarsest level where the image is as large.
    """
    grid = 2 ** max(levels - 1, 1)
    h, w = x.shape[-2:]
    margin = min(4 * grid, h, w) // grid * grid
    rows, columns = (_mirrored(n, margin, -(n + 2 * margin) % grid, x.device) for n in (h, w))
    return x.index_select(-2, rows).index_select(-1, columns), margin


def _mirrored(n: int, before: int, more: int, device: torch.device) -> Tensor:
    """Indices of 0 .. n - 1 with mirrored margins."""
    place = torch.arange(-before, n + before + more, device=device) % (2 * n)
    return torch.where(place < n, place, 2 * n - 1 - place)


def channels(x: Tensor, levels: int) -> Iterator[tuple[int, int, Iterator[Tensor]]]:
    """(level, step, its six channels) of (N, 1, H, W) with sides that 2^(levels - 1) divides.

    A channel is (N, 1, H / step, W / step), samples of the full band at every `step`-th pixel from the first.
    """
    spectrum = torch.fft.fft2(x)
    for level in range(levels):
        step = max(1, 2 ** (level - 1))
        part = _cropped(spectrum, step)
        yield level, step, _oriented(part, level, step)


def _oriented(spectrum: Tensor, level: int, step: int) -> Iterator[Tensor]:
    down, across = (
        torch.fft.fftfreq(n, 1.0, dtype=torch.float64, device=spectrum.device) * 2 / step
        for n in spectrum.shape[-2:]
    )  # of the Nyquist frequency of the image
    radius = torch.hypot(down[:, None], across)
    band = low_pass(radius, level) - low_pass(radius, level + 1)
    band = band * ((down > -1)[:, None] & (across > -1))
    angle = torch.atan2(down[:, None].expand_as(radius), across.expand_as(radius))
    for k in range(ORIENTATIONS):
        fan = analytic_fan(angle, k)
        yield torch.fft.ifft2(spectrum * (band * fan).to(spectrum.real.dtype))


def low_pass(radius: Tensor, level: int) -> Tensor:
    """1 below an octave's upper end, half at it, 0 above; everything for level 0. `radius` 1 is the Nyquist frequency."""
    if level == 0:
        return torch.ones_like(radius)
    half = 2.0**-level
    width = TRANSITION * half
    place = ((radius - half + width / 2) / width).clamp(0, 1)
    return (1 + torch.cos(pi * place)) / 2


def analytic_fan(angle: Tensor, orientation: int) -> Tensor:
    """Twice an orientation's share of the half plane around its direction, 0 in the other half plane."""
    width = pi / ORIENTATIONS
    far = (angle - orientation * width + pi).remainder(2 * pi) - pi
    return torch.where(far.abs() <= width, 1 + torch.cos(pi * far / width), 0.0)


def _cropped(spectrum: Tensor, step: int) -> Tensor:
    """The spectrum of every step-th sample of an image without frequencies above the new Nyquist frequency."""
    if step == 1:
        return spectrum
    for dim in (-2, -1):
        n = spectrum.shape[dim] // step
        wave = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64, device=spectrum.device).round().long()
        spectrum = spectrum.index_select(dim, wave % spectrum.shape[dim])
    return spectrum / step**2


def refined(x: Tensor, step: int) -> Tensor:
    """(N, 1, h, w) at every step-th pixel from the first, linear in between; (N, 1, h * step, w * step).

    Behind the last sample its value goes on.
    """
    if step == 1:
        return x
    x = F.pad(x, (0, 1, 0, 1), mode="replicate")
    h, w = x.shape[-2:]
    size = ((h - 1) * step + 1, (w - 1) * step + 1)
    return F.interpolate(x, size, mode="bilinear", align_corners=True)[..., :-1, :-1]
