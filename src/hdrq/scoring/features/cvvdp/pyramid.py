"""The decimated pyramid of ColorVideoVDP: Burt and Adelson's five taps, borders mirrored about the edge of the image.

Source: Mantiuk et al. 2024, doi:10.1145/3658144; rules of the borders as version 0.5.7 of the authors' program has them.
"""

from __future__ import annotations

from math import floor, log2

import torch
import torch.nn.functional as F
from torch import Tensor

OUTER, INNER, CENTRE = 0.05, 0.25, 0.4  # taps, a = 0.4
SECOND = 0.3228  # centre of the second band, as a share of the Nyquist frequency; the first counts as 1
LOWEST_CPD = 0.2  # the pyramid ends with the first band at or below this
BASE_CPD = 0.1  # what the low-pass rest counts as


def frequencies(height: int, width: int, ppd: float) -> list[float]:
    """Centres of the bands, cycles per degree, fine to coarse; the last one is the low-pass rest."""
    most = max(floor(log2(min(height, width))) - 1, 0)
    centres = [ppd / 2 * share for share in (1.0, *(SECOND * 2.0**-k for k in range(13)))]
    first_low = next((i for i, f in enumerate(centres) if f <= LOWEST_CPD), most)
    return [*centres[: min(first_low + 1, most)], BASE_CPD]


def halve(x: Tensor, *, repaired: bool = False) -> Tensor:
    """(..., H, W) to (..., ceil(H/2), ceil(W/2)).

    The program asks the number of rows for the parity of both directions, which alters the last column where one
    side is odd and the other even. repaired=True asks each direction for its own.
    """
    h, w = x.shape[-2:]
    x = _halve_rows(x, bool(h % 2))
    return _halve_columns(x, bool((w if repaired else h) % 2))


def _halve_rows(x: Tensor, odd: bool) -> Tensor:
    n = x.shape[-2]
    before, after = _border(x.select(-2, 0), x.select(-2, min(1, n - 1)), -2), _end(x, -2, odd)
    even, uneven = x[..., ::2, :], x[..., 1::2, :]
    return _five(even, uneven, before, after, -2, n)


def _halve_columns(x: Tensor, odd: bool) -> Tensor:
    n = x.shape[-1]
    before, after = _border(x.select(-1, 0), x.select(-1, min(1, n - 1)), -1), _end(x, -1, odd)
    even, uneven = x[..., ::2].contiguous(), x[..., 1::2].contiguous()
    return _five(even, uneven, before, after, -1, n)


def _border(first: Tensor, second: Tensor, dim: int) -> Tensor:
    """What the mirrored samples before the first one add to it."""
    return (INNER * first + OUTER * second).unsqueeze(dim)


def _end(x: Tensor, dim: int, odd: bool) -> Tensor:
    """What the mirrored samples after the last one add to the last sample kept."""
    n = x.shape[dim]
    last = x.narrow(dim, n - 1, 1)
    return INNER * last + OUTER * x.narrow(dim, n - 2, 1) if odd else OUTER * last


def _five(even: Tensor, uneven: Tensor, before: Tensor, after: Tensor, dim: int, n: int) -> Tensor:
    """Five taps on every second sample; samples outside count only through `before` and `after`."""
    m, k = even.shape[dim], uneven.shape[dim]
    out = even * CENTRE
    out.narrow(dim, 0, k).add_(uneven, alpha=INNER)
    out.narrow(dim, 1, m - 1).add_(uneven.narrow(dim, 0, m - 1), alpha=INNER)
    out.narrow(dim, 1, m - 1).add_(even.narrow(dim, 0, m - 1), alpha=OUTER)
    out.narrow(dim, 0, m - 1).add_(even.narrow(dim, 1, m - 1), alpha=OUTER)
    out.narrow(dim, 0, 1).add_(before)
    out.narrow(dim, m - 1, 1).add_(after)
    return out


def double(x: Tensor, size: tuple[int, int], rows: slice | None = None) -> Tensor:
    """(..., ceil(H/2), ceil(W/2)) to (..., H, W), or only its `rows`; borders repeated."""
    h, w = size
    top, stop = (rows.start, rows.stop) if rows is not None else (0, h)
    low, high = top // 2, (stop + 1) // 2
    near = x[..., max(low - 1, 0) : high + 1, :]
    near = F.pad(near, (1, 1, int(low == 0), int(high + 1 > x.shape[-2])), mode="replicate")
    a, b, c = near[..., :-2, :], near[..., 1:-1, :], near[..., 2:, :]
    tall = torch.stack([(a + c) * (2 * OUTER) + b * (2 * CENTRE), (b + c) * (2 * INNER)], -2)
    tall = tall.flatten(-3, -2)[..., top - 2 * low : stop - 2 * low, :]
    a, b, c = tall[..., :-2], tall[..., 1:-1], tall[..., 2:]
    even, uneven = (a + c) * (2 * OUTER) + b * (2 * CENTRE), (b + c) * (2 * INNER)
    return _interleave(even, uneven, w)


def _interleave(even: Tensor, uneven: Tensor, width: int) -> Tensor:
    if even.requires_grad:
        return torch.stack([even, uneven], -1).flatten(-2)[..., :width]
    out = even.new_empty((*even.shape[:-1], width))
    out[..., ::2] = even
    out[..., 1::2] = uneven[..., : width // 2]
    return out


def rebuild(bands: list[Tensor]) -> Tensor:
    """The image whose Laplacian bands, fine to coarse, and low-pass rest these are."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = double(image, (band.shape[-2], band.shape[-1])) + band
    return image
