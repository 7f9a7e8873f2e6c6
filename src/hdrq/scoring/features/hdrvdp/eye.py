"""The optics of the eye and the response of cones and rods, as HDR-VDP models them."""

from __future__ import annotations

from math import pi
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.dct import cosine, from_cosine
from hdrq.image.filters import joined, strips
from hdrq.image.sampled import running_integral


def lookup(values: Tensor, place: Tensor) -> Tensor:
    """Linear interpolation of `values` (K,) at fractional indices `place` of any shape, clamped to 0 .. K - 1."""
    node = place.detach().floor().nan_to_num_(0).clamp_(0, len(values) - 2)
    index = node.to(torch.int32).flatten()
    start = values[:-1].index_select(0, index).reshape(place.shape)
    step = values.diff().index_select(0, index).reshape(place.shape)
    return start + step * (place.clamp(0, len(values) - 1) - node)


Mtf = Literal["hdrvdp", "cie", "none"]
# pixels; larger transfer functions are computed again instead of cached
REMEMBERED = 1 << 22

# Sum of exponentials fitted to glare, HDR-VDP 2 and 3: weights and decay in degrees.
SHARE, GLARE = 0.99727370023777070, 0.061466549455263
WEIGHTS = (SHARE * 0.426, SHARE * 0.574, (1 - SHARE) * GLARE, (1 - SHARE) * (1 - GLARE))
DECAYS = (0.028, 0.37, 37.0, 360.0)


def modulation(cpd: np.ndarray, mtf: Mtf, age: float) -> np.ndarray:
    """Share of contrast that reaches the retina at spatial frequencies in cycles per degree; 1 at 0."""
    if mtf == "none":
        return np.ones_like(cpd)
    if mtf == "hdrvdp":
        return sum(weight * np.exp(-decay * cpd) for weight, decay in zip(WEIGHTS, DECAYS))  # type: ignore[return-value]
    omega = 2 * pi * np.asarray(cpd)
    still = omega < 1e-4
    spread = _glare(np.where(still, 1e-4, omega), age) / _glare(np.array(1e-4), age)
    return np.where(still, 1.0, spread)


def _glare(omega: np.ndarray, age: float, pigment: float = 0.5) -> np.ndarray:
    """Fourier transform of the CIE 135/1 (1999) glare function, term by term; omega in radians per degree.

    Departure from optics, kept for the numbers: the transforms are those of a line, not of a disc.
    Constants of the spread function become impulses at 0 and are dropped.
    """

    from scipy.special import k0, k1

    # of (1 + (t / width)²)^-1.5
    def narrow(width: float) -> np.ndarray:
        result: np.ndarray = 2 * width * (width * omega) * k1(width * omega)
        return result

    old = (age / 70) ** 4
    core = 9.2e6 * narrow(0.0046) + 1.5e5 * narrow(0.045)
    veil = 400 * pi * 0.1 * np.exp(-0.1 * omega)
    iris = 1300 * narrow(0.1) + 0.8 * 2 * 0.1 * k0(0.1 * omega)
    result: np.ndarray = (1 - 0.08 * old) * core + (1 + 1.6 * old) * (veil + pigment * iris)
    return result


def scatter(spectrum: Tensor, ppd: float, mtf: Mtf, age: float) -> Tensor:
    """Blur by the eye's optics, mirrored at the frame's edges with the edge repeated.

    spectrum  (N, C, H, W), cosine transform along rows; overwritten unless a gradient is recorded
    returns   the same of the blurred image
    """
    n, _, h, w = spectrum.shape
    of = (h, w, ppd, mtf, age, spectrum.dtype, spectrum.device)
    whole = _cached_transfer(*of) if h * w <= REMEMBERED else None
    if spectrum.requires_grad:
        return from_cosine(cosine(spectrum, -2) * (_transfer(*of) if whole is None else whole), -2)
    for part in strips(w, n * h, spectrum):
        transfer = _transfer(*of, part) if whole is None else whole[:, part]
        for c in range(spectrum.shape[1]):
            lines = spectrum[:, c : c + 1, :, part]
            lines.copy_(from_cosine(cosine(lines, -2).mul_(transfer), -2))
    return spectrum


def scatter_around(light: Tensor, ppd: float, mtf: Mtf, age: float, surround: Tensor) -> Tensor:
    """Blur one channel (N, 1, H, W) by the eye's optics; surround is the light around the frame, (N, 1, 1, 1)."""
    h, w = light.shape[-2:]
    make = _cached_field_transfer if h * w <= REMEMBERED else _field_transfer
    return across(light, make(h, w, ppd, mtf, age, light.dtype, light.device), surround)


def across(x: Tensor, transfer: Tensor, surround: Tensor) -> Tensor:
    """Multiply by a transfer function in a periodic field of twice the size.

    x         (N, 1, H, W), the top left corner of the field
    transfer  of the half spectrum, (..., 2H, W + 1)
    surround  the rest of the field, (N, 1, 1, 1)
    """
    h, w = x.shape[-2:]
    spectrum = torch.fft.fft(torch.fft.rfft(x - surround, n=2 * w), n=2 * h, dim=-2)
    rows = torch.fft.ifft(spectrum * transfer, dim=-2)[..., :h, :]
    result: Tensor = torch.fft.irfft(rows, n=2 * w)[..., :w] + surround * transfer[..., :1, :1]
    return result


def field_frequencies(h: int, w: int, rate: float) -> Tensor:
    """Cycles per degree on the half spectrum of a field of (2h, 2w) samples, `rate` samples per degree, float64."""
    rows, columns = _frequencies(h, w, rate)
    return torch.hypot(rows[:, None], columns)


def _frequencies(h: int, w: int, rate: float) -> tuple[Tensor, Tensor]:
    """The same of the rows and of the columns."""
    rows = torch.fft.fftfreq(2 * h, dtype=torch.float64).abs()
    return rows * rate, torch.fft.rfftfreq(2 * w, dtype=torch.float64) * rate


def _transfer(
    h: int,
    w: int,
    ppd: float,
    mtf: Mtf,
    age: float,
    dtype: torch.dtype,
    device: torch.device,
    part: slice = slice(None),
) -> Tensor:
    """Modulation at the frequencies of a cosine transform, (h, w), or of some of its columns."""
    rows, columns = _frequencies(h, w, ppd)
    return _modulated(rows[:h], columns[:w][part], mtf, age, dtype).to(device)


def _field_transfer(
    h: int, w: int, ppd: float, mtf: Mtf, age: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Modulation on the half spectrum of a field of twice the size, (2h, w + 1)."""
    rows, columns = _frequencies(h, w, ppd)
    quarter = _modulated(rows[: h + 1], columns, mtf, age, dtype).to(device)
    return torch.cat([quarter, quarter[1:-1].flip(0)])


def _modulated(rows: Tensor, columns: Tensor, mtf: Mtf, age: float, dtype: torch.dtype) -> Tensor:
    parts = (
        torch.from_numpy(modulation(torch.hypot(part[:, None], columns).numpy(), mtf, age)).to(dtype)
        for part in rows.split(256)
    )
    return joined(parts, len(rows))


_cached_transfer, _cached_field_transfer = cached(8)(_transfer), cached(8)(_field_transfer)


def pupil(luminance: Tensor, degrees2: float, age: float) -> Tensor:
    """Diameter in mm at an adapting luminance (cd/m²) over an area. Watson & Yellott 2012, unified formula."""
    drive = (luminance * degrees2 / 846) ** 0.41
    young = 7.75 - 5.75 * drive / (drive + 2)
    return young + (age - 28.58) * (0.02132 - 0.009562 * young)


class Sensitivity(NamedTuple):
    """Peak sensitivity as a function of luminance: of rods and cones together (4 numbers), of rods alone (6)."""

    joint: tuple[float, float, float, float]
    rods: tuple[float, float, float, float, float, float]


V2 = Sensitivity((30.162, 4.0627, 1.6596, 0.2712), (1.1732, 1.1478, 1.2167, 0.5547, 2.9899, 1.1414))
V3 = Sensitivity((315.98, 6.7977, 1.6008, 0.25534), (1.1732, 1.32, 1.095, 0.5547, 2.9899, 1.8))
# cd/m²
NODES = np.logspace(-5, 5, 2048)


def joint_sensitivity(nits: np.ndarray, of: Sensitivity) -> np.ndarray:
    """Sensitivity of rods and cones together."""
    peak, knee, slope, fall = of.joint
    return peak * ((knee / nits) ** slope + 1) ** -fall


def rod_sensitivity(nits: np.ndarray, of: Sensitivity) -> np.ndarray:
    """Sensitivity of rods alone: a skewed bell over log luminance."""
    peak, wide, low, narrow, high, scale = of.rods
    far = np.abs(np.log10(nits / peak))
    result: np.ndarray = 10.0**scale * np.where(
        nits > peak, np.exp(-(far**high) / narrow), np.exp(-(far**low) / wide)
    )
    return result


@cached()
def tables(of: Sensitivity) -> tuple[np.ndarray, np.ndarray]:
    """Response of one cone type and of rods at NODES: sensitivity integrated over ln luminance."""
    rods = rod_sensitivity(NODES, of)
    both = np.maximum(joint_sensitivity(NODES, of) - rods, 1e-3)
    # L and M cones get half the luminance each.
    cones = 0.5 * np.interp(np.minimum(2 * NODES, NODES[-1]), NODES, both)
    logs = np.log10(NODES)
    steps = [running_integral(s * np.log(10), logs) for s in (cones, rods)]
    return steps[0], steps[1]


def respond(caught: Tensor, kind: int, of: Sensitivity) -> Tensor:
    """Response of cones (kind 0) or rods (1), by linear interpolation between NODES over log luminance."""
    place = (torch.log10(caught.clamp(1e-5, 1e5)) + 5) * ((len(NODES) - 1) / 10)
    return lookup(_table(of, kind, caught.dtype, caught.device), place)


@cached()
def _table(of: Sensitivity, kind: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.from_numpy(tables(of)[kind]).to(device, dtype)
