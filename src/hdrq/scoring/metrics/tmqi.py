"""TMQI: structural fidelity and statistical naturalness of a tone-mapped image."""

from __future__ import annotations

from math import exp
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import power, root
from hdrq.image.color import weigh
from hdrq.image.resize import shrink
from hdrq.image.statistics import BT709_WEIGHTS
from hdrq.scoring.features.tone_fidelity import fidelity_map, local, stretched, visibility

# cycles per degree of the five scales
FREQUENCIES = (16, 8, 4, 2, 1)
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
BLOCK = 11


@metric(
    Card(
        title="Tone-mapped image quality index",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="srgb",
        reference="linear",
        side=161,
        planes=42,
        source="Yeganeh & Wang 2013, doi:10.1109/TIP.2012.2221725",
    )
)
def tmqi(ref: Tensor, dist: Tensor, *, variant: Literal["author", "toolbox"] = "author") -> Reading:
    """0.8012 S^0.3046 + 0.1988 N^0.7088 of structural fidelity S and statistical naturalness N, each at most 1.

    ref      linear light in any unit: it is stretched to its own range
    dist     sRGB code 0..1 as shown, not stretched
    variant  author: windows inside the image only, as the authors' program. toolbox: the image is padded with
             zeros, as HDR Toolbox does (S differs by up to 0.04)
    map      fidelity at the finest scale
    extra    S, N, and S of the five scales. Where the mean fidelity of a scale is negative, the authors' program gives
             a complex number, and S is 0 here
    """
    light = stretched(weigh(ref.double(), BT709_WEIGHTS))
    code = 255 * weigh(dist.double(), BT709_WEIGHTS)
    natural = _naturalness(code)
    maps = []
    for frequency in FREQUENCIES:
        _, x, y, covariance = local(light, code, "valid" if variant == "author" else "zero")
        threshold = _threshold(frequency)
        maps.append(fidelity_map(visibility(x, threshold), visibility(y, threshold), x, y, covariance))
        light, code = shrink(light, 2, mirror=True), shrink(code, 2, mirror=True)
    scales = [m.mean((1, 2, 3)) for m in maps]
    fidelity = torch.stack([power(s, e) for s, e in zip(scales, EXPONENTS)]).prod(0)
    quality = 0.8012 * power(fidelity, 0.3046) + 0.1988 * power(natural, 0.7088)
    parts = {"S": fidelity, "N": natural} | {f"S{k}": s for k, s in enumerate(scales, 1)}
    return Reading(quality.to(dist), maps[0].to(dist), {name: part.to(dist) for name, part in parts.items()})


def _threshold(frequency: float) -> float:
    """Deviation in codes that is visible with probability 0.5, from the contrast sensitivity of Mannos and Sakrison."""
    sensitivity = 100 * 2.6 * (0.0192 + 0.114 * frequency) * exp(-((0.114 * frequency) ** 1.1))
    return 128 / (1.4 * sensitivity)


def _naturalness(code: Tensor) -> Tensor:
    """Likelihood of brightness and contrast among 3000 photographs, (N,), 1 at the most likely.

    Contrast is the deviation within blocks of 11 x 11, averaged over pixels; zeros fill the last blocks.
    """
    h, w = code.shape[-2:]
    blocks = F.pad(code, (0, -w % BLOCK, 0, -h % BLOCK)).unflatten(2, (-1, BLOCK)).unflatten(4, (-1, BLOCK))
    rows, columns = (
        torch.full((-(-n // BLOCK),), float(BLOCK), dtype=code.dtype, device=code.device) for n in (h, w)
    )
    rows[-1], columns[-1] = h - BLOCK * (len(rows) - 1), w - BLOCK * (len(columns) - 1)
    deviation = root(blocks.var((3, 5))[:, 0])
    contrast = (deviation * rows[:, None] * columns).sum((1, 2)) / (h * w)
    a, b = 4.4, 10.1
    share, likeliest = contrast / 64.29, (a - 1) / (a + b - 2)
    left = (share / likeliest).clamp(min=0) ** (a - 1) * ((1 - share) / (1 - likeliest)).clamp(min=0) ** (
        b - 1
    )
    return left * torch.exp(-0.5 * ((code.mean((1, 2, 3)) - 115.94) / 27.99) ** 2)
