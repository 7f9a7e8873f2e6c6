"""FFTMI: structure, phase and naturalness of a tone-mapped image, added up with fitted weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.filters import pad
from hdrq.scoring.features.phase import agreement
from hdrq.scoring.features.tone_fidelity import WINDOW, structure

# superpixels of the global contrast factor
SIZES = (1, 2, 4, 8, 16, 25, 50, 100, 200)
RAYLEIGH = 0.27


@metric(
    Card(
        title="Feature fusion for natural tone-mapped images",
        unit="1",
        better="higher",
        span=(None, None),
        reads="srgb",
        reference="linear",
        side=WINDOW,
        planes=82,
        trainable=False,
        source="Krasula, Fliegel, Le Callet 2020, doi:10.1109/TMM.2019.2952256; numbers as krasuluk/FFTMI 2a8d1f3",
    )
)
def fftmi(ref: Tensor, dist: Tensor) -> Reading:
    """0.2129 S + 0.0443 N + R + 0.0621 G + 0.0931 B; 1.4133 where all structure is kept and the image is natural.

    ref    linear light in any unit; dist  sRGB code 0..1, rounded to 8 bits as the authors' program reads it
    map    structural fidelity
    extra  S (TMQI-II's structure), N (naturalness: colourfulness, contrast and brightness), R, G, B (FSITM)
    Only S has a gradient.
    """
    ref, code = ref.expand(-1, 3, -1, -1), (255 * dist).expand(-1, 3, -1, -1)
    fidelity, shown = structure(ref, code)
    natural = _naturalness((code.detach().double() + 0.5).floor().clamp(0, 255))
    red, green, blue = agreement(ref.detach(), code.detach()).double().mean((2, 3)).unbind(1)
    value = 0.2129 * fidelity + 0.0443 * natural + red + 0.0621 * green + 0.0931 * blue
    parts = {"S": fidelity, "N": natural, "R": red, "G": green, "B": blue}
    return Reading(value.to(dist), shown.to(dist), {name: part.to(dist) for name, part in parts.items()})


def _naturalness(code: Tensor) -> Tensor:
    """Rayleigh likelihood, 1 at its most likely, of colourfulness x contrast x brightness of 8-bit code.

    Brightness is the share of samples above half: the authors' program divides 8-bit integers by 255, which rounds.
    """
    x = _colourfulness(code) * _contrast(code) * (code > 127).double().mean((1, 2, 3)) / RAYLEIGH
    return x.clamp(min=0) * torch.exp((1 - x * x) / 2)


def _colourfulness(code: Tensor) -> Tensor:
    """CQE1 of Panetta, Gao, Agaian 2013; 0 for an image without colour."""
    r, g, b = code.unbind(1)
    logs = []
    for opponent in (r - g, (r + g) / 2 - b):
        mean = opponent.mean((1, 2))
        spread = (opponent**2).mean((1, 2)) - mean**2
        logs.append(torch.log10(spread / mean.abs() ** 0.2))
    found = 0.02 * logs[0] * logs[1]
    return found.where(found.isfinite(), found.new_zeros(()))


def _contrast(code: Tensor) -> Tensor:
    """Global contrast factor of Matkovic et al. 2005: neighbour contrast of lightness over nine sizes of superpixel."""
    r, g, b = code.unbind(1)
    # 8-bit Y of YCbCr
    luma = ((65.481 * r + 128.553 * g + 24.966 * b) / 255 + 16.5).floor() / 255
    light = luma[:, None] ** 2.2
    h, w = light.shape[-2:]
    total = code.new_zeros(len(code))
    for i, size in enumerate(SIZES, 1):
        superpixels = F.avg_pool2d(F.pad(light, (0, -w % size, 0, -h % size)), size)
        x = 100 * superpixels.sqrt()
        wide = pad(x, 1, 1, 1, 1, "reflect")
        around = (wide[..., :-2, 1:-1], wide[..., 2:, 1:-1], wide[..., 1:-1, :-2], wide[..., 1:-1, 2:])
        step = i / len(SIZES)
        weight = (-0.406385 * step + 0.334573) * step + 0.0877526
        total = total + weight * sum((side - x).abs().mean((1, 2, 3)) for side in around) / 4
    return total
