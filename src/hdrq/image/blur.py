"""Gaussian blurs of any width, and point spread functions of lenses and motion."""

from __future__ import annotations

from math import ceil, cos, pi, radians, sin, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import Border, filter2, gaussian, pad, separable

_BURT = (0.05, 0.25, 0.4, 0.25, 0.05)
# number of taps from which filtering by Fourier transform is faster
_WIDE = 41
# places at which a very wide Gaussian's result is computed; between them it is a polynomial
_NODES = 20
# length of a line, in sigmas, up to which that polynomial is exact to 1e-14
_RATIO = 2.6


def blur(x: Tensor, sigma: float, taps: int | None = None) -> Tensor:
    """Gaussian blur of (N, C, H, W) with replicated borders and a kernel of sum 1.

    taps  length of the kernel; None is round(5 sigma), made odd and at least 3
    """
    n = taps if taps is not None else max(round(5 * sigma), 3)
    n += 1 - n % 2
    kernel = gaussian(n, sigma, x)
    if n < _WIDE:
        return separable(x, kernel, border="replicate")
    return _fourier(x, kernel, sigma)


def _fourier(x: Tensor, kernel: Tensor, sigma: float) -> Tensor:
    """Filter one dimension after the other: by Fourier transforms of the padded image, or from a few samples of the result."""
    reach = kernel.numel() // 2
    for dim in (-1, -2):
        if 3 * _NODES <= x.shape[dim] - 1 <= min(reach, _RATIO * sigma):
            sampled, between = (m.to(x) for m in _few_samples(x.shape[dim], kernel.double()))
            x = between @ (sampled @ x) if dim == -2 else (x @ sampled.mT) @ between.mT
            continue
        edges = (0, 0, reach, reach) if dim == -1 else (reach, reach, 0, 0)
        wide = pad(x, *edges, "replicate")
        n = wide.shape[dim]
        response = torch.fft.rfft(kernel.flip(0), n=n)
        shape = [1] * x.dim()
        shape[dim] = response.numel()
        filtered = torch.fft.irfft(torch.fft.rfft(wide, dim=dim) * response.view(shape), n=n, dim=dim)
        x = filtered.narrow(dim, 2 * reach, x.shape[dim])
    return x


def _few_samples(n: int, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (k, n) and (n, k), k = 20: the filtered line at k places, near Chebyshev's, and the polynomial through them.

    The kernel is a Gaussian that reaches from every pixel to both ends, so that the result is that smooth.
    """
    reach = kernel.numel() // 2
    turn = (torch.arange(_NODES, dtype=torch.float64, device=kernel.device) + 0.5) * (pi / _NODES)
    node = ((1 - turn.cos()) / 2 * (n - 1)).round()
    at, pixels = node.long(), torch.arange(n, device=kernel.device)
    sampled = kernel[pixels - at[:, None] + reach]
    # borders are replicated
    below = F.pad(kernel.cumsum(0), (1, 0))
    sampled[:, 0] += below[reach - at]
    sampled[:, -1] += below[-1] - below[reach + n - at]
    gaps = (node[:, None] - node) * (4 / (n - 1))
    weight = 1 / gaps.fill_diagonal_(1).prod(1)
    # the barycentric form of the polynomial; a node gives its own value
    away = pixels[:, None] - node
    share = weight / away.where(away != 0, 1)
    share = share / share.sum(1, keepdim=True)
    met = away == 0
    return sampled, torch.where(met.any(1, keepdim=True), met.to(share), share)


def burt(x: Tensor, border: Border, gap: int = 1) -> Tensor:
    """Blur (N, C, H, W) with a five-tap kernel whose taps are `gap` pixels apart. Source: Burt & Adelson 1983, a = 0.4."""
    taps = x.new_zeros(4 * gap + 1)
    taps[::gap] = x.new_tensor(_BURT)
    return separable(x, taps, border=border)


def reinhard_profile(x: Tensor, scale: float, alpha: float, border: str = "replicate") -> Tensor:
    """Blur with exp(-r² / (alpha s)²) / (pi (alpha s)²), a Gaussian of sigma = alpha s / sqrt 2.

    border  "replicate": the kernel is normalised to sum 1, because few samples of the finest scales do not add up to it;
            "circular": as in HDR Toolbox, the image repeats, the kernel is not normalised, and its centre is shifted by
            one pixel along even sides and by half a pixel along odd ones
    """
    width = alpha * scale
    if border == "circular":
        return _circular(x, width)
    reach = max(1, int(4 * width + 0.999))
    r = torch.arange(-reach, reach + 1, dtype=torch.float64)
    line = (-((r / width) ** 2)).exp()
    line = (line / line.sum()).to(x)
    if line.numel() < _WIDE:
        return separable(x, line, border="replicate")
    return _fourier(x, line, width / sqrt(2))


def _circular(x: Tensor, width: float) -> Tensor:
    for dim in (-1, -2):
        n = x.shape[dim]
        # 0 at sample n/2, counting from 1
        r = torch.arange(n, dtype=torch.float64) + 1 - n / 2
        line = ((-((r / width) ** 2)).exp() / (sqrt(pi) * width)).to(x)
        line = torch.roll(line, -(n // 2))
        shape = [1] * x.dim()
        shape[dim] = n // 2 + 1
        x = torch.fft.irfft(torch.fft.rfft(x, dim=dim) * torch.fft.rfft(line).view(shape), n=n, dim=dim)
    return x


def pyramid_means(x: Tensor, levels: int) -> list[Tensor]:
    """x and `levels` increasingly blurred copies of it, (N, C, H, W) each.

    The copies are the levels of Burt and Adelson's pyramid, interpolated bilinearly to full size.
    The image is zero-padded to a square whose side is a power of two, as in pfstmo_reinhard02 of pfstools 2.2
    (determined from its output); positions beyond the last sample of a level repeat that sample.
    """
    h, w = x.shape[-2:]
    side = 1 << max(max(h, w) - 1, 0).bit_length()
    level, out = F.pad(x, (0, side - w, 0, side - h)), [x]
    for k in range(1, levels + 1):
        if level.shape[-1] > 1:
            level = burt(level, "zero")[..., ::2, ::2]
        out.append(_between(_between(level, h, k, -2), w, k, -1))
    return out


def _between(x: Tensor, n: int, level: int, dim: int) -> Tensor:
    """Linear interpolation to n pixels along one dimension from samples 2^level pixels apart, the first at pixel 0."""
    at = torch.arange(n, device=x.device)
    low = (at >> level).clamp(max=x.shape[dim] - 1)
    part = (at.to(x.dtype) / 2**level - (at >> level)).view([-1, 1] if dim == -2 else [1, -1])
    near, far = x.index_select(dim, low), x.index_select(dim, (low + 1).clamp(max=x.shape[dim] - 1))
    result: Tensor = near + (far - near) * part
    return result


def gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of `sigma` pixels; the kernel is cut at 3 sigma."""
    return separable(x, gaussian(2 * ceil(3 * sigma) + 1, sigma, x), border="symmetric")


def apply_psf(x: Tensor, spread: Tensor) -> Tensor:
    """Filter every channel with one point spread function (odd sides), normalised to sum 1."""
    return filter2(x, (spread / spread.sum()).to(x), border="symmetric")


def disk(radius: float, fine: int = 8) -> Tensor:
    """Point spread function of defocus: a disk of `radius` pixels, integrated with fine x fine samples per pixel."""
    reach = ceil(radius - 0.5) if radius > 0.5 else 0
    at = torch.arange((2 * reach + 1) * fine, dtype=torch.float64)
    at = (at + 0.5) / fine - reach - 0.5
    inside = ((at[:, None] ** 2 + at[None] ** 2) <= radius**2).double()
    return torch.nn.functional.avg_pool2d(inside[None, None], fine)[0, 0]


def streak(length: float, degrees: float, fine: int = 8) -> Tensor:
    """Point spread function of linear motion over `length` pixels, distributed over pixels bilinearly."""
    reach = ceil(length / 2) + 1
    steps = max(2, ceil(length * fine))
    along = (torch.arange(steps, dtype=torch.float64) / (steps - 1) - 0.5) * length
    x, y = along * cos(radians(degrees)) + reach, along * sin(radians(degrees)) + reach
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1, dtype=torch.float64)
    for i in (0, 1):
        for j in (0, 1):
            row, column = y.floor().long() + i, x.floor().long() + j
            weight = (1 - (y - row).abs()).clamp(min=0) * (1 - (x - column).abs()).clamp(min=0)
            kernel.index_put_(
                (row.clamp(max=2 * reach), column.clamp(max=2 * reach)), weight, accumulate=True
            )
    return kernel
