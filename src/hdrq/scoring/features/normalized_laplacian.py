"""The normalised Laplacian pyramid: what is left of an image when neighbouring contrast has been divided out.

Laparra, Ballé, Berardino, Simoncelli, HVEI 2016 (doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103), and JOSA A 2017
(doi:10.1364/JOSAA.34.001511). Bands run from fine to coarse, (N, C, h, w); the last is the low-pass rest.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.arithmetic import root
from hdrq.image.caching import cached, shared
from hdrq.image.filters import Border, filter2, pad, slide

TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)
_TWICE = tuple(2 * t for t in TAPS)
Program = Literal["tensorflow", "python"]

# 2016: weights of the neighbours up, left, right, down, and two to the right, as printed; used turned round.
_CROSSES_2016 = (
    (0.1011, 0.1493, 0.1460, 0.1015, 0.0072),
    (0.0757, 0.1986, 0.1846, 0.0837, 0.0),
    (0.0477, 0.2138, 0.2243, 0.0467, 0.0),
    (0.0, 0.2503, 0.2616, 0.0, 0.0),
    (0.0, 0.2598, 0.2552, 0.0, 0.0),
    (0.0, 0.2215, 0.0717, 0.0, 0.0),
)
_SIGMA_2016 = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
LEVELS_2016 = len(_SIGMA_2016)

# 2017: one pool for all bands except the last, which is normalised by itself.
_POOL_2017 = ((4, 4, 5, 4, 4), (4, 3, 4, 3, 4), (5, 4, 5, 4, 5), (4, 3, 4, 3, 4), (4, 4, 5, 4, 4))
_SIGMA_2017, _SIGMA_LOW_2017 = 0.17, 4.86
LEVELS_2017 = 6
# bands beyond it are normalised by themselves, at any depth
_POOLED_IN_PYTHON = 5


@shared
def normalized_2016(grey: Tensor) -> list[Tensor]:
    """Six bands of grey 0..1, each divided by sigma + the weighted modulus of its neighbours; zeros outside."""
    bands = _pyramid(grey, LEVELS_2016, "zero")
    return [b / (s + filter2(b.abs(), k)) for b, s, k in zip(bands, _SIGMA_2016, _kernels_2016())]


@cached(1)
def _kernels_2016() -> tuple[Tensor, ...]:
    """3x5 kernels for correlation: those of the paper turned by 180 degrees."""
    made = []
    for up, left, right, down, beyond in _CROSSES_2016:
        rows = [[0, 0, up, 0, 0], [0, left, 0, right, beyond], [0, 0, down, 0, 0]]
        made.append(torch.tensor(rows, dtype=torch.float64).flip(0, 1))
    return tuple(made)


@shared
def normalized_2017(response: Tensor, program: Program) -> list[Tensor]:
    """Bands of luminance^(1/2.6), divided by 0.17 (the last: 4.86) + the weighted modulus of their neighbours.

    tensorflow  google-research/perceptual-quality 478157a: six bands, sides halved upwards, mirrored without the edge; zeros
                around a pool
    python      Valerolaparra/NLPD 4c8b8b9: floor(log2 of the smaller side) - 2 bands, edges repeated; the sixth and later bands
                are divided by themselves, even where they are not the last
    """
    kernel = torch.tensor(_POOL_2017, dtype=torch.float64) / 100
    if program == "tensorflow":
        bands, last, border = _mirrored_pyramid(response), LEVELS_2017 - 1, "zero"
    else:
        levels = max(int(min(response.shape[-2:])).bit_length() - 3, 1)
        bands, last, border = _pyramid(response, levels, "symmetric"), _POOLED_IN_PYTHON, "reflect"
    normalized = []
    for index, band in enumerate(bands):
        sigma = _SIGMA_LOW_2017 if index == len(bands) - 1 else _SIGMA_2017
        pooled = band.abs() if index >= last else filter2(band.abs(), kernel, border)  # type: ignore[arg-type]
        normalized.append(band / (sigma + pooled))
    return normalized


def distances(ref: list[Tensor], dist: list[Tensor]) -> Tensor:
    """Root mean square difference of every band and channel, (bands, N, C)."""
    return torch.stack([root((a - b).square().mean((-2, -1))) for a, b in zip(ref, dist)])


def _pyramid(x: Tensor, levels: int, border: Border) -> list[Tensor]:
    """Burt and Adelson's, halved with edges repeated, the first sample kept; `border` when it is enlarged."""
    bands = []
    for _ in range(levels - 1):
        low = _filtered(x, "symmetric")[..., ::2, ::2]
        bands.append(x - _enlarge(low, x.shape[-2:], border))
        x = low
    return [*bands, x]


def _filtered(x: Tensor, border: Border) -> Tensor:
    return slide(slide(pad(x, 2, 2, 2, 2, border), TAPS, -1), TAPS, -2)


def _enlarge(low: Tensor, size: torch.Size, border: Border) -> Tensor:
    """One sample is added all around, zeros go between, then the filter; two samples are dropped at the top and left."""
    wide = pad(low, 1, 1, 1, 1, "replicate")
    spread = _spread(wide, 2 * wide.shape[-2], 2 * wide.shape[-1])
    full = slide(slide(pad(spread, 2, 2, 2, 2, border), _TWICE, -1), _TWICE, -2)
    return full[..., 2 : 2 + size[0], 2 : 2 + size[1]]


def _spread(x: Tensor, h: int, w: int) -> Tensor:
    spread = x.new_zeros(*x.shape[:-2], h, w)
    spread[..., ::2, ::2] = x
    return spread


def _mirrored_pyramid(x: Tensor) -> list[Tensor]:
    bands = []
    for _ in range(LEVELS_2017 - 1):
        low = slide(slide(pad(x, 4, 4, 4, 4, "reflect"), TAPS, -1), TAPS, -2)[..., ::2, ::2]
        h, w = x.shape[-2:]
        spread = _spread(low, 2 * low.shape[-2] - 1, 2 * low.shape[-1] - 1)
        full = slide(slide(pad(spread, 2, 2, 2, 2, "zero"), _TWICE, -1), _TWICE, -2)
        bands.append(x - full[..., 2 : 2 + h, 2 : 2 + w])
        x = low[..., 1:-1, 1:-1]
    return [*bands, x]
