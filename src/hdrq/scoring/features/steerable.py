"""The steerable pyramid of spatial filters (Simoncelli & Freeman 1995), multiplied in the Fourier domain.

Bands run from fine to coarse: the high-pass residual (N, 1, H, W), then each level's orientations
(N, B, h, w), then the low-pass rest (N, 1, h, w). Borders mirror without repeating the edge.
Filters: matlabPyrTools' sp0 (1 orientation), sp3 (4) and sp5 (6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import pi
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.filters import pad, strips
from hdrq.image.sampled import fast_length
from hdrq.scoring.features.tables import table

Filters = Literal["sp0", "sp3", "sp5"]
Stage = Literal["top", "level"]
# coefficients; larger transfer functions cost more to keep than to make
REMEMBERED = 1 << 20


def deepest(height: int, width: int, filters: Filters) -> int:
    """How often an image can be halved before the low-pass filter no longer fits."""
    side, taps = min(height, width), table("steerable")[f"{filters}_lo"].shape[-1]
    levels = 0
    while side >= taps:
        side, levels = side // 2, levels + 1
    return levels


def decompose(
    x: Tensor, levels: int, filters: Filters, orientations: tuple[int, ...] | None = None
) -> list[Tensor]:
    """(N, 1, H, W) into levels + 2 bands; of each level only the named orientations, or all."""
    return list(decomposed([x], levels, filters, orientations))


def decomposed(
    source: list[Tensor], levels: int, filters: Filters, orientations: tuple[int, ...] | None = None
) -> Iterator[Tensor]:
    """The same, band by band. The image is taken out of the list `source`, so that it is kept no longer than it is needed.

    The mean is not filtered, so that float32 is precise enough for the smallest bands.
    """
    x = source.pop()
    mean = x.mean((-2, -1), keepdim=True)
    top, down = _bank(filters, "top").sum((-2, -1)), _bank(filters, "level").sum((-2, -1))
    wanted = range(len(down) - 1) if orientations is None else orientations
    x = x - mean
    source.append(x)
    del x
    high, low = _analyse(source, filters, "top", (0, 1))
    yield _raised(high, mean * top[0])
    del high
    mean = mean * top[1]
    for _ in range(levels):
        source.append(low)
        del low
        *parts, low = _analyse(source, filters, "level", (*wanted, -1))
        band = torch.cat([part + mean * down[i] for i, part in zip(wanted, parts)], 1)
        low, mean = low[..., ::2, ::2].contiguous(), mean * down[-1]
        parts.clear()
        yield band
    yield low + mean


def _raised(x: Tensor, by: Tensor) -> Tensor:
    """x + by, in its place where no gradient is recorded."""
    return x + by if x.requires_grad else x.add_(by)


def rebuild(bands: list[Tensor], filters: Filters, widen: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The image (N, 1, H, W) reconstructed from its bands, to 3 %; worse near borders for odd filters (sp3, sp5).

    bands  emptied, so that none is kept longer than it is needed
    widen  what each band goes through before it is used, as to float64
    """
    low = _taken(bands, widen)
    while len(bands) > 1:
        parts = _taken(bands, widen)
        n, _, h, w = parts.shape
        spread = low.new_zeros(n, 1, h, w)
        spread[..., ::2, ::2] = low
        pieces = [*parts.split(1, 1), spread]
        del parts, spread, low
        low = _synthesise(pieces, filters, "level")
    pieces = [_taken(bands, widen), low]
    del low
    return _synthesise(pieces, filters, "top")


def _taken(bands: list[Tensor], widen: Callable[[Tensor], Tensor] | None) -> Tensor:
    return bands.pop() if widen is None else widen(bands.pop())


@cached()
def _bank(filters: Filters, stage: Stage) -> np.ndarray:
    """Filters used together, (B, K, K) float64: high and low pass of the top, or orientations and low pass."""
    taps = table("steerable")
    if stage == "top":
        kernels = [taps[f"{filters}_hi0"], taps[f"{filters}_lo0"]]
    else:
        kernels = [*taps[f"{filters}_bands"], taps[f"{filters}_lo"]]
    size = max(k.shape[-1] for k in kernels)
    return np.stack([np.pad(k, (size - k.shape[-1]) // 2) for k in kernels])


def _analyse(source: list[Tensor], filters: Filters, stage: Stage, which: tuple[int, ...]) -> list[Tensor]:
    """(N, 1, h, w), taken out of its list, correlated with filters of a bank."""
    h, w = source[0].shape[-2:]
    like = source[0].new_empty(0)
    spectrum, size = _spectrum(source, filters, stage)
    found = []
    for i in which:
        product = _through(spectrum, filters, stage, i, False, size, like, over=i == which[-1])
        found.append(_image(product, size, h, w, like))
        del product
    return found


def _synthesise(parts: list[Tensor], filters: Filters, stage: Stage) -> Tensor:
    """Sum of (N, 1, h, w) parts, each convolved with its filter of a bank. The list is emptied."""
    total, size = None, (0, 0)
    h, w = parts[0].shape[-2:]
    for i in range(len(parts)):
        like = parts[0].new_empty(0)
        spectrum, size = _spectrum([parts.pop(0)], filters, stage)
        spectrum = _through(spectrum, filters, stage, i, True, size, like, over=True)
        total = spectrum if total is None else total.add_(spectrum)
        del spectrum
    assert total is not None
    return _image(total, size, h, w, like)


def _image(spectrum: Tensor, size: tuple[int, int], h: int, w: int, like: Tensor) -> Tensor:
    """The first (h, w) pixels of the image of a half spectrum; a large one is overwritten, so that no copy is made."""
    if size[0] * size[1] <= REMEMBERED or (torch.is_grad_enabled() and spectrum.requires_grad):
        image: Tensor = torch.fft.irfft2(spectrum, s=size)[..., :h, :w]
        return image
    n = spectrum.shape[0]
    for part in strips(spectrum.shape[-1], 2 * n * size[0], spectrum):
        spectrum[..., part] = torch.fft.ifft(spectrum[..., part], dim=-2)
    image = like.new_empty(*spectrum.shape[:-2], h, w)
    for part in strips(h, n * size[1], spectrum):
        image[..., part, :] = torch.fft.irfft(spectrum[..., part, :], n=size[1])[..., :w]
    return image


def _spectrum(source: list[Tensor], filters: Filters, stage: Stage) -> tuple[Tensor, tuple[int, int]]:
    """Half spectrum of the mirrored image, taken out of its list, and the size of the transform."""
    reach = _bank(filters, stage).shape[-1] // 2
    x = source.pop()
    h, w = (side + 2 * reach for side in x.shape[-2:])
    size = (fast_length(h), fast_length(w))
    x = _mirrored(x, reach, size)
    return torch.fft.rfft2(x), size


def _mirrored(x: Tensor, reach: int, size: tuple[int, int]) -> Tensor:
    """The image with `reach` mirrored pixels on every side, then zeros below and to the right up to `size`."""
    h, w = x.shape[-2:]
    if x.requires_grad or reach >= min(h, w):
        x = pad(x, reach, reach, reach, reach, "reflect")
        return pad(x, 0, size[0] - h - 2 * reach, 0, size[1] - w - 2 * reach, "zero")
    out = x.new_empty(*x.shape[:-2], *size)
    out[..., reach : reach + h, reach : reach + w] = x
    for dim, side in ((-1, w), (-2, h)):
        lines = out if dim == -2 else out[..., reach : reach + h, :]
        lines.narrow(dim, 0, reach).copy_(lines.narrow(dim, reach + 1, reach).flip(dim))
        lines.narrow(dim, reach + side, reach).copy_(lines.narrow(dim, side - 1, reach).flip(dim))
        lines.narrow(dim, side + 2 * reach, size[dim] - side - 2 * reach).zero_()
    return out


def _through(
    spectrum: Tensor,
    filters: Filters,
    stage: Stage,
    which: int,
    turned: bool,
    size: tuple[int, int],
    like: Tensor,
    over: bool,
) -> Tensor:
    """A spectrum times the transfer function of a filter.

    over  whether the spectrum may be overwritten; it is not where a gradient is recorded
    """
    if size[0] * size[1] <= REMEMBERED:
        return spectrum * _transfer(filters, stage, which, turned, size, like.dtype, like.device)
    taps, rows, columns = _factors(filters, stage, which, turned, size, like.dtype, like.device)
    recording = torch.is_grad_enabled() and spectrum.requires_grad
    out = spectrum if over and not recording else torch.empty_like(spectrum)
    columns = taps @ columns
    for part in strips(size[0], size[1] * 2, spectrum):
        out[..., part, :] = spectrum[..., part, :] * (rows[part] @ columns)
    return out


@cached(64)
def _transfer(
    filters: Filters,
    stage: Stage,
    which: int,
    turned: bool,
    size: tuple[int, int],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Half spectrum that correlates with a kernel whose first tap lies on the first pixel."""
    taps, rows, columns = _factors(filters, stage, which, turned, size, dtype, device)
    return rows @ taps @ columns


def _factors(
    filters: Filters,
    stage: Stage,
    which: int,
    turned: bool,
    size: tuple[int, int],
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices whose product it is: taps (K, K), rows (H, K), columns (K, W // 2 + 1)."""
    taps = torch.from_numpy(_bank(filters, stage)[which])
    taps = taps.flip(-2, -1) if turned else taps
    rows, columns = (_waves(n, len(taps)).to(device, dtype.to_complex()) for n in size)
    return taps.to(rows), rows, columns[: size[1] // 2 + 1].T


def _waves(n: int, taps: int) -> Tensor:
    """exp(2 pi i k t / n), (n, taps)."""
    k, t = (torch.arange(m, dtype=torch.float64) for m in (n, taps))
    angle = torch.outer(k, t) * (2 * pi / n)
    return torch.polar(torch.ones_like(angle), angle)
