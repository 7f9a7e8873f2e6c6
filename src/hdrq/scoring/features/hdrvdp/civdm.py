"""Structure that is visible in one image but not in the other, independent of their dynamic ranges.

Source: Aydin et al. 2008, doi:10.1145/1360612.1360668, as in HDR-VDP 3 (no contrast reversal).
"""

from __future__ import annotations

from math import ceil, isqrt, log, log2

import torch
from torch import Tensor

from hdrq.image.blur import burt
from hdrq.scoring.features.hdrvdp.contrast import HIGHEST, LOWEST, at_each, tabulated_v3
from hdrq.scoring.features.hdrvdp.eye import Mtf

# of the psychometric function
SLOPE = 10**0.34
# probability from which structure counts
VISIBLE = 0.5
LOWEST_CPD = 2.0
# frequency of the second band, as a share of the Nyquist frequency
_SECOND = 0.3228


def lost_and_added(
    responses: tuple[Tensor, Tensor], adapting: tuple[Tensor, Tensor], ppd: float, mtf: Mtf, age: float
) -> tuple[Tensor, Tensor]:
    """Probability that structure of the reference is lost, and that the test image adds some; (N, 1, H, W).

    responses, adapting  of (ref, dist), as the retina gives them
    """
    levels = max(ceil(log2(ppd)) - 2, 1)
    rates = [band_rate(level, ppd) for level in range(levels)]
    logs = [a.log10().clamp(LOWEST, HIGHEST) for a in adapting]
    pyramids = [laplacian(r, levels) for r in responses]
    log_not_lost, log_not_added = torch.zeros_like(responses[0]), torch.zeros_like(responses[0])
    for level, cpd in enumerate(rates):
        if cpd <= LOWEST_CPD:
            break
        curve = tabulated_v3(cpd, mtf, age, logs[0].dtype, logs[0].device)
        radius = 3 * 2**level
        seen, unseen = [], []
        for pyramid, log_nits in zip(pyramids, logs):
            sensitivity = at_each(curve, log_nits)
            band = pyramid[level].abs()
            seen.append(_only(_probability(band * sensitivity)))
            unseen.append(_only(1 - _probability(dilate(band, radius) * sensitivity)))
        log_not_lost = log_not_lost + torch.log(1 - seen[0] * unseen[1] + 1e-8)
        log_not_added = log_not_added + torch.log(1 - unseen[0] * seen[1] + 1e-8)
    return 1 - torch.exp(-log_not_lost.abs()), 1 - torch.exp(-log_not_added.abs())


def band_rate(level: int, ppd: float) -> float:
    """Frequency in the middle of a band of `laplacian`, cycles per degree; level 0 is the finest."""
    return ppd / 2 if level == 0 else _SECOND * 2.0 ** (1 - level) * ppd / 2


def laplacian(x: Tensor, levels: int) -> list[Tensor]:
    """levels + 1 bands of full size; blurs of five taps whose gaps double."""
    bands = []
    for level in range(levels):
        coarse = burt(x, "reflect", 2**level)
        bands.append(x - coarse)
        x = coarse
    return [*bands, x]


def dilate(x: Tensor, radius: int) -> Tensor:
    """Largest value (of values >= 0) within a disc; nothing outside the frame."""
    h, w = x.shape[-2:]
    wide = torch.nn.functional.pad(x, (radius, radius))
    # spans[k]: largest of 2^k samples to the right
    spans = [wide]
    while 2 ** len(spans) <= 2 * radius + 1:
        step = 2 ** (len(spans) - 1)
        spans.append(torch.maximum(spans[-1][..., :-step], spans[-1][..., step:]))
    found = torch.zeros_like(x)
    for down in range(min(radius, h - 1) + 1):
        half = isqrt(radius**2 - down**2)
        k = (2 * half + 1).bit_length() - 1
        start, end = radius - half, radius + half + 1 - 2**k
        row = torch.maximum(spans[k][..., start : start + w], spans[k][..., end : end + w])
        if down == 0:
            found = torch.maximum(found, row)
            continue
        below, above = row[..., down:, :], row[..., :-down, :]
        found = torch.maximum(found, torch.nn.functional.pad(below, (0, 0, 0, down)))
        found = torch.maximum(found, torch.nn.functional.pad(above, (0, 0, down, 0)))
    return found


def _probability(contrast: Tensor) -> Tensor:
    """Of seeing a contrast given in thresholds; 0.5 at 1."""
    return 1 - torch.exp(log(VISIBLE) * contrast**SLOPE)


def _only(probability: Tensor) -> Tensor:
    return torch.where(probability < VISIBLE, torch.zeros_like(probability), probability)
