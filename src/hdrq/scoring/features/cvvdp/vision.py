"""The observer of ColorVideoVDP: opponent colours, contrast sensitivity, masking between channels; and its decimated pyramid.

The pyramid has Burt and Adelson's five taps; borders are mirrored about the edge of the image, as that version does.

Source: Mantiuk et al. 2024, doi:10.1145/3658144; castleCSF, Ashraf et al. 2024, doi:10.1167/jov.24.4.5; constants and
tables of version 0.5.7 of the authors' program (parameters of 2024-01-10), see NOTICE.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, floor, log2

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.filters import slide
from hdrq.scoring.features.tables import table

# taps, a = 0.4
OUTER, INNER, CENTRE = 0.05, 0.25, 0.4
# centre of the second band, as a share of the Nyquist frequency; the first counts as 1
SECOND = 0.3228
# the pyramid ends with the first band at or below this
LOWEST_CPD = 0.2
# what the low-pass rest counts as
BASE_CPD = 0.1
# achromatic, red-green, yellow-violet; achromatic transient
CHANNELS = ("a", "rg", "yv", "trans")
XYZ_TO_LMS = np.array(
    [
        [0.187596268556126, 0.585168649077728, -0.026384263306304],
        [-0.133397430663221, 0.405505777260049, 0.034502127690364],
        [0.000244379021663, -0.000542995890619, 0.019406849066323],
    ]
)
# DKL about D65
LMS_TO_DKL = np.array([[1.0, 1.0, 0.0], [1.0, -2.311130179947035, 0.0], [-1.0, -1.0, 50.977571328718781]])
SENSITIVITY_DB = -0.2797423303127289
GAIN = (1.0, 1.45, 1.0, 1.0)
MASK_P = 2.264355182647705
MASK_Q = (1.302622675895691, 2.8885908126831055, 3.6807713508605957, 3.588787317276001)
# log10
MASK_C = -0.7954971194267273
# log2 of what a channel (row) masks in another (column)
CROSS = (
    (-0.18950104713439941, -5.962151050567627, -4.31834602355957, -1.9321587085723877),
    (2.5655593872070312, 0.34406712651252747, -2.719646453857422, -0.4970424771308899),
    (3.8118371963500977, -1.0051705837249756, -0.5193376541137695, -0.5653647780418396),
    (-7.054771423339844, -5.527150630950928, -3.5106418132781982, -2.08804988861084),
)
# a difference is compressed to stay below it
LARGEST = 10**2.5642454624176025
# pixels, of the blur that makes masking blind to phase
PHASE_SIGMA, PHASE_REACH = 3.0, 6
# of a background
MIN_LUMINANCE = 0.01
MAX_CONTRAST = 1000.0
EPSILON = 1e-5
# samples of one channel of a strip, so that the work on it stays in cache
_STRIP = 1 << 17


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


def power(x: Tensor, p: float) -> Tensor:
    """(x + 1e-5)^p - 1e-5^p of x >= 0: a power with a finite slope at 0."""
    raised = (x + EPSILON).square().square() if p == 4.0 else ((x + EPSILON).log2() * p).exp2()
    result: Tensor = raised - EPSILON**p
    return result


def norm(x: Tensor, p: float, dim: int, mean: bool = False) -> Tensor:
    """The p-norm along a dimension, of powers as above, or its mean form."""
    total = power(x, p).sum(dim)
    return power(total / x.shape[dim] if mean else total, 1 / p)


def curves(rho: float, channels: int) -> np.ndarray:
    """log10 sensitivity of each channel at spatial frequency `rho`, cpd, on 32 log-spaced luminances: (channels, 32)."""
    t = table("cvvdp")
    nodes, x = np.log10(t["rho"]), np.log10(rho)
    i = int(np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2))
    share = (x - nodes[i]) / (nodes[i + 1] - nodes[i])
    found = [t[key] for key in ("o0_c1", "o0_c2", "o0_c3", "o5_c1")[:channels]]
    return np.stack([s[:, i] + share * (s[:, i + 1] - s[:, i]) for s in found]) + SENSITIVITY_DB / 20


@cached(None)
def _luminances() -> tuple[float, float]:
    nodes = np.log10(table("cvvdp")["L_bkg"])
    return float(nodes[0]), float(nodes[-1])


def sensitivity(luminance: Tensor, rho: float, channels: int) -> Tensor:
    """Contrast sensitivity of each channel (channels, ...) on backgrounds (...), cd/m²."""
    log10_s = torch.as_tensor(curves(rho, channels), dtype=luminance.dtype, device=luminance.device)
    last = log10_s.shape[1] - 1
    low, high = _luminances()
    at = ((luminance.log10() - low) * (last / (high - low))).clamp(0, last)
    index = at.detach().int().clamp(max=last - 1)
    share, index = at - index, index.flatten()
    base2 = log10_s * log2(10)
    found = []
    for values in base2:
        node = values[:-1].index_select(0, index).view_as(at)
        rise = values.diff().index_select(0, index).view_as(at)
        found.append(torch.addcmul(node, share, rise))
    return torch.stack(found).exp2_() if not at.requires_grad else torch.stack(found).exp2()


@cached(None)
def phase_taps() -> tuple[float, ...]:
    """Normalised Gaussian of sd 3 pixels, 13 samples."""
    raw = [exp(-(k**2) / (2 * PHASE_SIGMA**2)) for k in range(-PHASE_REACH, PHASE_REACH + 1)]
    return tuple(v / sum(raw) for v in raw)


def mask_matrix(channels: int, like: Tensor) -> Tensor:
    """(masked, masking): how much each channel adds to what hides a difference in another."""
    return torch.exp2(like.new_tensor(CROSS))[:channels, :channels].T.contiguous()


def strips(height: int, width: int, like: Tensor, halo: int) -> Iterator[tuple[slice, slice]]:
    """(rows, the same with `halo` rows on either side where there are any); an even first row."""
    step = height if like.device.type != "cpu" else max(2 * (_STRIP // (2 * width)), 8 * halo, 2)
    for top in range(0, height, step):
        stop = min(top + step, height)
        yield slice(top, stop), slice(max(top - halo, 0), min(stop + halo, height))


def contrasts(band: Tensor, lower: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """Weber contrast of `rows` of a level against its own background, and that background, cd/m².

    band   (C, H, W), a level of the Gaussian pyramid; lower: the next one
    """
    ground = double(lower, (band.shape[-2], band.shape[-1]), rows)
    luminance = ground[0].clamp(min=MIN_LUMINANCE)
    return ((band[:, rows] - ground) / luminance).clamp(max=MAX_CONTRAST), luminance


def hidden(test: Tensor, ref: Tensor, shape: tuple[int, int], rows: slice, wide: slice) -> Tensor:
    """What masks: the smaller of two contrasts at each pixel, spread over the phase; `rows` of the `wide` ones given.

    shape  (H, W) of the whole band; one of 6 pixels or less is not spread
    """
    common = torch.minimum(test.abs(), ref.abs())
    if min(shape) > PHASE_REACH:
        above = PHASE_REACH - (rows.start - wide.start)
        below = PHASE_REACH - (wide.stop - rows.stop)
        common = F.pad(common, (PHASE_REACH, PHASE_REACH, above, below), mode="reflect")
        common = slide(slide(common, phase_taps(), -2), phase_taps(), -1)
    return common * 10**MASK_C


def difference(test: Tensor, ref: Tensor, mask: Tensor) -> Tensor:
    """Visible differences (C, ...) between perceived contrasts, given what hides them."""
    c = len(test)
    q = mask.new_tensor(MASK_Q[:c]).view(-1, *[1] * (mask.dim() - 1))
    masking = ((mask + EPSILON).log2() * q).exp2() - EPSILON**q
    divisor = (mask_matrix(c, mask) @ masking.flatten(1)).view_as(masking) + 1
    excitation = power((test - ref).abs(), MASK_P)
    return LARGEST * excitation / (LARGEST * divisor + excitation)


def band_difference(
    test: tuple[Tensor, Tensor], ref: tuple[Tensor, Tensor], rho: float, amplify: float
) -> Iterator[Tensor]:
    """Visible differences of one band, in strips of rows (C, h, W) from the top.

    test, ref  this level of the Gaussian pyramid and the next, (C, H, W) each
    amplify    2 for the bands between the first and the last, else 1
    """
    c, h, w = test[0].shape
    gain = test[0].new_tensor(GAIN[:c]).view(-1, 1, 1) * amplify
    for rows, wide in strips(h, w, test[0], PHASE_REACH if min(h, w) > PHASE_REACH else 0):
        t, _ = contrasts(*test, wide)
        r, ground = contrasts(*ref, wide)
        seen = sensitivity(ground, rho, c) * gain
        t, r = t * seen, r * seen
        mask = hidden(t, r, (h, w), rows, wide)
        own = slice(rows.start - wide.start, rows.stop - wide.start)
        yield difference(t[:, own], r[:, own], mask)


def base_difference(test: Tensor, ref: Tensor) -> Tensor:
    """Visible differences of the low-pass rest (C, h, w), each image relative to its own mean luminance."""
    grounds = [x[0].clamp(min=MIN_LUMINANCE).mean() for x in (test, ref)]
    seen = sensitivity(grounds[1].reshape(1, 1), BASE_CPD, len(test))
    return (test / grounds[0] - ref / grounds[1]).abs() * seen
