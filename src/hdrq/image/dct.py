"""The discrete cosine transform (DCT-II), computed by real FFTs of the same length.

Source: Makhoul 1980, doi:10.1109/TASSP.1980.1163351.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor


def cosine(x: Tensor, dim: int) -> Tensor:
    """DCT-II along one dimension: sum of x[n] cos(pi k (2n + 1) / 2N), same shape; index k is k / 2N cycles per sample."""
    n = x.shape[dim]
    folded = torch.cat([_cut(x, dim, 0, n, 2), _cut(x, dim, 1, n, 2).flip(dim)], dim)
    turned = torch.fft.rfft(folded, dim=dim) * _turn(n, x, dim).conj()
    return torch.cat([turned.real, -_cut(turned.imag, dim, 1, (n + 1) // 2).flip(dim)], dim)


def from_cosine(spectrum: Tensor, dim: int) -> Tensor:
    """Inverse of `cosine`."""
    n = spectrum.shape[dim]
    mirrored = _cut(spectrum, dim, n - n // 2, n).flip(dim)
    imaginary = torch.cat([torch.zeros_like(_cut(spectrum, dim, 0, 1)), -mirrored], dim)
    turned = torch.complex(_cut(spectrum, dim, 0, n // 2 + 1), imaginary) * _turn(n, spectrum, dim)
    folded = torch.fft.irfft(turned, n=n, dim=dim)
    x = torch.empty_like(folded)
    _cut(x, dim, 0, n, 2).copy_(_cut(folded, dim, 0, (n + 1) // 2))
    _cut(x, dim, 1, n, 2).copy_(_cut(folded, dim, (n + 1) // 2, n).flip(dim))
    return x


def _cut(x: Tensor, dim: int, start: int, stop: int, step: int = 1) -> Tensor:
    index = [slice(None)] * x.dim()
    index[dim] = slice(start, stop, step)
    return x[tuple(index)]


def _turn(n: int, like: Tensor, dim: int) -> Tensor:
    """exp(i pi k / 2n) for k = 0 .. n // 2, along `dim` (-1 or -2)."""
    angle = torch.arange(n // 2 + 1, dtype=torch.float64) * (pi / (2 * n))
    turn = torch.polar(torch.ones_like(angle), angle).to(like.device, like.dtype.to_complex())
    return turn if dim == -1 else turn[:, None]
