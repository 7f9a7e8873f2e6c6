"""From light to the retina's response: optics, cones and rods, adaptation (HDR-VDP 3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, pi
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.image import filters as windows
from hdrq.image.color import mix
from hdrq.image.dct import cosine, from_cosine
from hdrq.image.sampled import fast_length
from hdrq.scoring.features.hdrvdp.colour import Spectra, receptor_matrix
from hdrq.scoring.features.hdrvdp.eye import V3, Mtf, pupil, respond, scatter, scatter_around
from hdrq.scoring.features.pixel_errors import by_rows, over_rows

# pixels of standard deviation
WIDE = 4.3
# standard deviations, where a Gaussian is below 2e-16 of its peak
REACH = 8.5
# degrees, standard deviation of the pool that adapts
ADAPTATION = 10**-0.781367
REFERENCE_AGE = 28.0


def blur(x: Tensor, sigma: float, border: Literal["zero", "replicate"]) -> Tensor:
    """(N, C, H, W) weighted by a Gaussian of `sigma` pixels.

    Surprise: a wide "replicate" blur continues the bottom and right edges for one image size and then wraps
    round, so that the top and left edges see the values of the bottom and right ones.
    """
    if sigma >= WIDE:
        for dim in (-1, -2):
            x = windows.by_lines(partial(_wrapped, sigma=sigma, border=border, dim=dim), x, dim)
        return x
    size = int(6 * sigma + 0.5)
    taps = windows.gaussian(size + 1 - size % 2, sigma, x)
    return windows.separable(x, taps, border=border)


def _wrapped(x: Tensor, sigma: float, border: str, dim: int) -> Tensor:
    """Along one dimension: the value after the last sample is subtracted, so that zero padding suffices."""
    n = x.shape[dim]
    size = min(2 * n, fast_length(n + ceil(REACH * sigma)))
    after = x.narrow(dim, n - 1, 1) if border == "replicate" else x.new_zeros(())
    omega = torch.fft.rfftfreq(size, dtype=torch.float64) * (2 * pi)
    transfer = torch.exp(-0.5 * (omega * sigma) ** 2).to(x)
    transfer = transfer if dim == -1 else transfer[:, None]
    spectrum = torch.fft.rfft(x - after, n=size, dim=dim) * transfer
    result: Tensor = torch.fft.irfft(spectrum, n=size, dim=dim).narrow(dim, 0, n) + after
    return result


class Viewer(NamedTuple):
    """The observer: pixels per degree, age in years, optics, spectra, log10 gain."""

    ppd: float
    age: float
    mtf: Mtf
    spectra: Spectra
    gain: float


def receptors(
    light: Tensor,
    viewer: Viewer,
    age: float | None,
    surround: Tensor | None,
    shown: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """(N, C, H, W) cd/m² to (N, 3, H, W) float64: L cones, M cones, rods.

    shown  from `light` to the light of the display's channels, pixel by pixel; None: it is that
    """
    matrix = receptor_matrix(viewer.spectra, light.shape[1], age)[:, [0, 1, 3]].T
    if viewer.mtf == "none":
        return by_rows(lambda rows: _caught(_emitted(rows, shown), matrix), light)
    if surround is None:
        spectrum = by_rows(lambda rows: cosine(_emitted(rows, shown), -1), light)
        spectrum = scatter(spectrum, viewer.ppd, viewer.mtf, viewer.age)
        return over_rows(lambda rows: _caught(_bounded(from_cosine(rows, -1)), matrix), spectrum, len(matrix))
    total: Tensor | None = None
    # no more than one channel in the form of its spectrum
    for c, outside in enumerate(surround.split(1, 1)):
        seen = by_rows(lambda rows, c=c: _emitted(rows, shown)[:, c : c + 1], light)
        seen = _bounded(scatter_around(seen, viewer.ppd, viewer.mtf, viewer.age, outside))
        share = seen.new_tensor(matrix[:, c].copy()).view(1, -1, 1, 1)
        total = seen * share if total is None else torch.addcmul(total, seen, share, out=_place(total, seen))
    assert total is not None
    return total.clamp(1e-8, 1e10)


def _emitted(light: Tensor, shown: Callable[[Tensor], Tensor] | None) -> Tensor:
    return in_float64(light if shown is None else shown(light))


def _bounded(seen: Tensor) -> Tensor:
    """Light on the retina; filters leave rounding errors below 0."""
    return seen.clamp(1e-5, 1e10)


def _caught(seen: Tensor, matrix: np.ndarray) -> Tensor:
    """What the receptors absorb of the light of the channels."""
    return mix(seen, matrix).clamp(1e-8, 1e10)


def _place(total: Tensor, seen: Tensor) -> Tensor | None:
    """Where a sum may be written: over itself, unless a gradient is recorded."""
    return None if torch.is_grad_enabled() and (total.requires_grad or seen.requires_grad) else total


def in_float64(x: Tensor) -> Tensor:
    """In float64 where the device has it: in float32, Fourier rounding errors of bright regions exceed dark ones."""
    return x if x.device.type == "mps" else x.double()


def retinal_response(
    light: Tensor, viewer: Viewer, surround: Tensor | None, shown: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Response of cones and rods together, and the adapting luminance in cd/m²; both (N, 1, H, W), float64.

    shown  as of receptors()
    """
    caught = receptors(light, viewer, viewer.age, surround, shown)
    log_luminance = by_rows(_log_luminance, caught)
    log_adapting = blur(log_luminance, ADAPTATION * viewer.ppd, "replicate")
    del log_luminance
    area = light.shape[-2] * light.shape[-1] / viewer.ppd**2
    mean = log_adapting.mean((-2, -1), keepdim=True).exp()
    narrowed = (pupil(mean, area, viewer.age) / pupil(mean, area, REFERENCE_AGE)) ** 2

    def response(rows: Tensor) -> Tensor:
        rows = rows * narrowed
        total = respond(rows[:, :2], 0, V3).sum(1, keepdim=True) + respond(rows[:, 2:], 1, V3)
        return total * 10**viewer.gain

    total = by_rows(response, caught)
    del caught
    return total, by_rows(torch.exp, log_adapting)


def _log_luminance(caught: Tensor) -> Tensor:
    return caught[:, :2].sum(1, keepdim=True).clamp(min=1e-6).log()


def surround_light(surround: str | float, reference: Tensor) -> Tensor | None:
    """Light around the frame, (N, C, 1, 1): None mirrors it ("none"), "mean" is the reference's geometric mean."""
    if surround == "none":
        return None
    if surround == "mean":
        return reference.log().mean((-2, -1), keepdim=True).exp()
    try:
        nits = float(surround)
    except ValueError:
        raise UsageError(f"surround={surround} is not a luminance; give none, mean or cd/m²") from None
    return reference.new_full((reference.shape[0], reference.shape[1], 1, 1), nits)
