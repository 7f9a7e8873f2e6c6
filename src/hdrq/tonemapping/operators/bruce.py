"""Bruce 2014: exposures of an HDR scene blended by local entropy."""

from __future__ import annotations

from functools import partial
from math import log

import torch
from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.filters import pad
from hdrq.image.statistics import longer_side, luminance, ranked, stretched
from hdrq.image.transfer import linear_to_srgb
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.operator import OperatorCard, operator

_BINS = 32
# Smallest code in logarithms.
_DARKEST = 1 / 255
# Added to entropies, so that a smooth sky is not divided where one exposure happens to cross a bin.
_EVEN = 0.1
# share whose logarithm stands for that of 0
_LEAST = 1e-12
# counts of columns, in pairs, that are summed at a time
_PIECE = 131_072


@operator(
    OperatorCard(
        title="ExpoBlend: information preserving exposure blending",
        source="Bruce 2014, doi:10.1016/j.cag.2013.12.001, of exposures made from the scene",
        gives="code",
        tunes={"power": (0.5, 20)},
        limits={"power": (0, 50), "radius": (1, 200), "step": (0.25, 20), "most": (2, 20)},
    )
)
def bruce(
    light: Tensor, *, power: float = 1.0, radius: float | None = None, step: float = 2.0, most: int = 5
) -> Tensor:
    """exp(Σ w_i ln C_i), w_i ∝ (H_i + 0.1)^power, then ranks 0.1 and 99.9 % of luminance to 0 and 1.

    H_i is the entropy of the luminance of C_i, 32 bins of code, in a square around the pixel, over that of equal bins.
    Squares, where the paper has disks; 0.1 is added, as areas with hardly any entropy show the bins' edges otherwise.

    power       0 is the plain mean of logarithms
    radius      of the square, pixels; auto is 3 % of the longer side
    step, most  exposures put the ranks from 1 to 99.5 % of luminance at middle grey, one every `step` stops, `most` at most
    """
    reach = max(1, round(0.03 * longer_side(light[:, :1]) if radius is None else radius))
    codes = [linear_to_srgb(x) for x in bracket(light, step, most)]
    entropies = [_entropy(luminance(code), reach) for code in codes]
    shown = in_strips(partial(_blended, power), *codes, *entropies)
    y = luminance(shown)
    low, high = ranked(y, 0.001), ranked(y, 0.999)
    varied = high - low > 1e-3
    if bool(varied.all()):
        return stretched(shown, low, high)
    # an even image keeps its code
    return torch.where(varied, stretched(shown, low, high), shown)


def _blended(power: float | Tensor, *images: Tensor) -> Tensor:
    """exp(Σ w_i ln C_i) of exposures (N, C, H, W), followed by their entropies (N, 1, H, W)."""
    codes, entropies = images[: len(images) // 2], images[len(images) // 2 :]
    weights = (power * (torch.stack(entropies) + _EVEN).log()).softmax(0)
    total = torch.zeros_like(codes[0])
    for code, weight in zip(codes, weights):
        total = total + code.clamp(min=_DARKEST).log() * weight
    return total.exp()


def _entropy(code: Tensor, radius: int) -> Tensor:
    """Local entropy of code (N, 1, H, W), 0..1; borders mirrored; piecewise constant, without a gradient."""
    bins = (code.detach() * _BINS).floor().clamp(0, _BINS - 1).to(torch.uint8)
    found = torch.cat([_of_one(frame, radius, code.dtype) for frame in bins])
    return found[:, None] / log(_BINS)


def _of_one(bins: Tensor, radius: int, dtype: torch.dtype) -> Tensor:
    """-Σ p ln p of the bins (1, H, W) around every pixel, p the shares of their values.

    The counts of every column move down with the window, row by row, two bins in one number of 64 bits; the window's counts are
    differences of their cumulative sums.
    """
    h, w = bins.shape[-2:]
    side, length, pairs = 2 * radius + 1, w + 2 * radius + 1, int(bins.max()) // 2 + 1
    wide = pad(bins[None], radius, radius, radius, radius, "symmetric")[0, 0].long()
    one = torch.tensor([1, 1 << 32], device=bins.device)[wide & 1]
    # column 0 stays empty
    at = (wide >> 1).mul_(length).add_(torch.arange(1, length, device=bins.device))
    columns = one.new_zeros(pairs * length)
    for y in range(side - 1):
        columns.index_add_(0, at[y], one[y])
    rows = max(1, _PIECE // len(columns))
    block = one.new_empty((rows, pairs, length))
    sums, counts = torch.empty_like(block), one.new_empty((rows, pairs, w))
    shares = counts.new_empty((rows, pairs, 2 * w), dtype=dtype)
    logs, found = torch.empty_like(shares), shares.new_empty((1, h, w))
    for top in range(0, h, rows):
        for y in range(top, min(top + rows, h)):
            below = y + side - 1
            columns.index_add_(0, at[below], one[below])
            block[y - top] = columns.view(pairs, -1)
            columns.index_add_(0, at[y], one[y], alpha=-1)
        torch.cumsum(block, -1, out=sums)
        torch.sub(sums[..., side:], sums[..., :w], out=counts)
        shares.copy_(counts.view(torch.int32)).div_(side * side)
        torch.clamp(shares, min=_LEAST, out=logs).log_().mul_(shares)
        found[0, top : top + rows] = -logs.sum(1).unflatten(-1, (w, 2)).sum(-1)[: h - top]
    return found
