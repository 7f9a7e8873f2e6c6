"""Ashikhmin 2002: compression by a threshold function, with detail restored around a local mean."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.blur import blur
from hdrq.image.statistics import luminance, ranked, relight, stretched
from hdrq.tonemapping.operator import OperatorCard, operator


def _capacity(nits: Tensor) -> Tensor:
    """How many steps of threshold a luminance lies above black: the integral of 1 / TVI in four straight pieces."""
    dim = 2.4483 + (nits.clamp(min=0.0034) / 0.0034).log() / 0.4027
    bright = 32.0693 + (nits.clamp(min=7.2444) / 7.2444).log() / 0.0556
    middle = torch.where(nits < 1, dim, 16.563 + (nits - 1) / 0.4027)
    return torch.where(nits < 0.0034, nits / 0.0014, torch.where(nits < 7.2444, middle, bright))


@operator(
    OperatorCard(
        title="A tone mapping algorithm for high contrast images",
        source="Ashikhmin 2002, doi:10.2312/EGWR/EGWR02/145-155; the range between ranks 0.05 and 99.95 % and the "
        "hdrtoolbox variant as HDR Toolbox 5375d05",
        reads="nits",
        tunes={"threshold": (0.1, 1)},
        stepped=("threshold",),
        limits={"threshold": (0, 10), "scales": (1, 50)},
        needs={
            "threshold": ("local", (True,)),
            "scales": ("local", (True,)),
            "variant": ("local", (True,)),
        },
    )
)
def ashikhmin(
    light: Tensor,
    *,
    local: bool = True,
    threshold: float = 0.5,
    scales: int = 10,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """(A(L_a) - A_min) / (A_max - A_min) · L / L_a, L_a the mean over the widest even neighbourhood.

    local    False takes the pixel itself for L_a
    variant  hdrtoolbox keeps the widest neighbourhood that is even, also beyond one that is not
    """
    y = luminance(light)
    around = _adapted(y, threshold, scales, variant) if local else y
    low, high = _capacity(ranked(around, 0.0005)), _capacity(ranked(around, 0.9995))
    return relight(light, around, stretched(_capacity(around), low, high))


def _adapted(y: Tensor, threshold: float, scales: int, variant: str) -> Tensor:
    """Gaussians in windows of s and 2 s pixels, five sigma wide, compared for s = 1 .. scales."""
    blurs = {s: blur(y, s / 5, s) for s in sorted({*range(1, scales + 1), *range(2, 2 * scales + 1, 2)})}
    found, even = blurs[1], torch.ones_like(y, dtype=torch.bool)
    for s in range(1, scales + 1):
        calm = (blurs[s] - blurs[2 * s]).abs() < threshold * blurs[s]
        even = calm if variant == "hdrtoolbox" else even & calm
        found = torch.where(even, blurs[s], found)
    return found.clamp(min=1e-12)
