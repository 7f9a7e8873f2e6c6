"""Vinker 2021: the logarithm whose steepness gives the histogram of ordinary photographs."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.adaptive_log import adapted, matched_steepness
from hdrq.image.statistics import brightest, counted, luminance, ratio, relight
from hdrq.image.transfer import srgb_to_linear
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Histogram-matched logarithm",
        source="Vinker, Huberman-Spiegelglas & Fattal 2021, Unpaired Learning for High Dynamic Range Image Tone Mapping, "
        "doi:10.1109/ICCV48922.2021.01439: its curve, without the network",
        differentiable=False,
        robust=False,
        tunes={"steepness": (1, 1e9)},
        limits={"steepness": (1e-3, 1e12)},
    )
)
def vinker(light: Tensor, *, steepness: float | None = None) -> Tensor:
    """Code log10(1 + steepness L / L_max) / log10(1 + steepness), shown by sRGB; colours as in the scene.

    steepness  auto is the value in 1..1e9 whose histogram has the least cross-entropy with photographs
    """
    y = luminance(light)
    x = ratio(y, brightest(y))
    if steepness is None:
        found = torch.stack([matched_steepness(counted(frame).detach().flatten()) for frame in x]).view(
            -1, 1, 1, 1
        )
    else:
        found = torch.as_tensor(steepness, dtype=x.dtype, device=x.device)
    return relight(light, y, srgb_to_linear(adapted(x, found)))
