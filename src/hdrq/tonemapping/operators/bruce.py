"""Bruce 2014: exposures of an HDR scene blended by local entropy."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from hdrq.image.edge_preserving import box_mean
from hdrq.image.statistics import longer_side, luminance, ranked, stretched
from hdrq.image.transfer import linear_to_srgb
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.operator import OperatorCard, operator

_BINS = 32
# Smallest code in logarithms.
_DARKEST = 1 / 255
# Added to entropies, so that a smooth sky is not divided where one exposure happens to cross a bin.
_EVEN = 0.1


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
    logs, weights = [], []
    for exposed in bracket(light, step, most):
        code = linear_to_srgb(exposed)
        logs.append(code.clamp(min=_DARKEST).log())
        weights.append(power * (_entropy(luminance(code), reach) + _EVEN).log())
    shown = (torch.stack(logs) * torch.stack(weights).softmax(0)).sum(0).exp()
    y = luminance(shown)
    low, high = ranked(y, 0.001), ranked(y, 0.999)
    # an even image keeps its code
    return torch.where(high - low > 1e-3, stretched(shown, low, high), shown)


def _entropy(code: Tensor, radius: int) -> Tensor:
    """Local entropy of code, 0..1; piecewise constant, without a gradient."""
    bins = (code.detach() * _BINS).floor().clamp(0, _BINS - 1)
    total = torch.zeros_like(code)
    for k in range(_BINS):
        p = box_mean((bins == k).to(code), radius).clamp(min=0)
        total = total - torch.where(p > 0, p * p.clamp(min=1e-12).log(), 0.0)
    return total.detach() / log(_BINS)
