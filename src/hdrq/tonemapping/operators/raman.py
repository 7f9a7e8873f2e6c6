"""Raman 2009: exposures of an HDR scene blended by the residual of a bilateral filter."""

from __future__ import annotations

from math import ceil
from typing import Literal

import torch
from torch import Tensor

from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import luminance
from hdrq.image.transfer import linear_to_srgb
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Bilateral filter based compositing for variable exposure photography",
        source="Raman & Chaudhuri 2009, doi:10.2312/egs.20091034; variant as HDR Toolbox 5375d05, found from its output",
        gives="code",
        differentiable=False,
        tunes={"constant": (0.02, 2), "spread_range": (0.02, 1)},
        limits={
            "constant": (1e-3, 100),
            "spread": (0.01, 2),
            "spread_range": (1e-2, 10),
            "step": (0.25, 20),
            "most": (2, 20),
        },
        stepped=("spread_range",),
        needs={"step": ("variant", ("paper",)), "most": ("variant", ("paper",))},
    )
)
def raman(
    light: Tensor,
    *,
    constant: float = 70 / 255,
    spread: float = 1.0,
    spread_range: float = 0.1,
    step: float = 2.0,
    most: int = 5,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """Σ w_i C_i / Σ w_i of sRGB exposures C_i, w_i = constant + |L_i - bilateral(L_i)|, L_i their luminance.

    constant      weight of what the filter leaves as it is
    spread        sigma of the filter in space as a share of the shorter side; spread_range that of L_i as a share of the
                  range of L_i
    step, most    exposures put the ranks from 1 to 99.5 % of luminance at middle grey, one every `step` stops, `most` at most
    variant       hdrtoolbox: exposures of gamma 2.2 from the one that clips nothing to the scene as it is, a stop apart
    """
    made = []
    for frame in light:
        scene = frame[None]
        stack = (
            _stops(scene)
            if variant == "hdrtoolbox"
            else [linear_to_srgb(x) for x in bracket(scene, step, most)]
        )
        total, weights = torch.zeros_like(scene), torch.zeros_like(scene[:, :1])
        for code in stack:
            grey = luminance(code)
            span = float((grey.max() - grey.min()).detach())
            sigma = max(spread * min(grey.shape[-2:]), 1e-3)
            base = bilateral_grid(grey, sigma, max(spread_range * span, 1e-3))
            weight = constant + (grey - base).abs()
            total, weights = total + weight * code, weights + weight
        made.append(total / weights)
    return torch.cat(made)


def _stops(scene: Tensor) -> list[Tensor]:
    """Gains of 2^k, k from minus the stops of the brightest luminance above 1, at most 16, to 0, at least three."""
    bright = float(luminance(scene.detach()).max().clamp(min=1e-9).log2())
    first = min(max(ceil(bright), 2), 16)
    lit = ((scene * 2.0**-k).clamp(0, 1) for k in range(first, -1, -1))
    return [torch.where(x > 0, x.clamp(min=1e-12), 0) ** (1 / 2.2) for x in lit]
