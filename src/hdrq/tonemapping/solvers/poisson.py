"""Poisson's equation with Neumann boundary conditions, by cosine transforms."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor


def forward_difference(x: Tensor, dim: int) -> Tensor:
    """x[i + 1] - x[i], and 0 at the end; same shape."""
    step = x.diff(dim=dim)
    return torch.cat([step, torch.zeros_like(x.narrow(dim, 0, 1))], dim)


def backward_difference(x: Tensor, dim: int) -> Tensor:
    """x[i] - x[i - 1] with 0 before the start: minus the transpose of `forward_difference` where x ends in 0."""
    return torch.diff(x, dim=dim, prepend=torch.zeros_like(x.narrow(dim, 0, 1)))


def divergence(across: Tensor, down: Tensor) -> Tensor:
    """Of a field of forward differences, for `solve_poisson`: the frame is mirrored about its outermost pixels."""
    return _mirrored(across, -1) + _mirrored(down, -2)


def _mirrored(g: Tensor, dim: int) -> Tensor:
    n = g.shape[dim]
    if n == 1:
        return torch.zeros_like(g)
    inner = g.narrow(dim, 0, n - 1)
    middle = inner.diff(dim=dim)
    return torch.cat([2 * inner.narrow(dim, 0, 1), middle, -2 * inner.narrow(dim, n - 2, 1)], dim)


def solve_poisson(density: Tensor) -> Tensor:
    """u with Laplacian(u) = density and mean 0, (N, 1, H, W); differences vanish across the borders.

    The transform is the cosine one of the first kind, whose mirror is the outermost pixel.
    """
    h, w = density.shape[-2:]
    spectrum = _cosine(_cosine(density, -1), -2)
    u = _eigenvalues(h, density)[:, None] + _eigenvalues(w, density)[None]
    u[0, 0] = 1
    spectrum = spectrum / u
    spectrum = spectrum - spectrum * torch.nn.functional.one_hot(torch.tensor(0), h * w).view(h, w).to(
        spectrum
    )
    return _cosine(_cosine(spectrum, -1), -2) / _scale(h) / _scale(w)


def _eigenvalues(n: int, like: Tensor) -> Tensor:
    k = torch.arange(n, dtype=torch.float64)
    return (-4 * torch.sin(pi * k / (2 * max(n - 1, 1))) ** 2).to(like)


def _scale(n: int) -> float:
    return 2.0 * (n - 1) if n > 1 else 1.0


def _cosine(x: Tensor, dim: int) -> Tensor:
    """DCT-I, its own inverse up to 2 (n - 1)."""
    n = x.shape[dim]
    if n == 1:
        return x
    mirrored = torch.cat([x, x.narrow(dim, 1, n - 2).flip(dim)], dim) if n > 2 else x
    result: Tensor = torch.fft.rfft(mirrored, dim=dim).real
    return result
