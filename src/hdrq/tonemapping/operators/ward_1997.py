"""Ward 1997: histogram equalisation with limited contrast."""

from __future__ import annotations

from itertools import accumulate
from math import log
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.resize import imresize
from hdrq.image.statistics import GREY, counted, luminance, relight
from hdrq.tonemapping.adaptation import cone_threshold, rod_threshold
from hdrq.tonemapping.operator import OperatorCard, operator

_DARKEST = 1e-6
# share of the counts that may be left above the ceiling
_CUT = 0.025
_PASSES = 500
# share of pixels excluded at either end of the range, so that single pixels do not set it
_ENDS = 1e-4


@operator(
    OperatorCard(
        title="Visibility matching, histogram adjustment",
        source="Larson, Rushmeier & Piatko 1997, doi:10.1109/2945.646233; variant as HDR Toolbox 5375d05",
        reads="nits",
        differentiable=False,
        tunes={"black_nits": (0.1, 10)},
        stepped=("black_nits",),
        temporal=False,
        limits={"black_nits": (1e-4, 100), "bins": (2, 10000), "foveal_ppd": (1, 1000)},
    )
)
def ward_1997(
    light: Tensor,
    *,
    peak_nits: float = 100.0,
    black_nits: float = 1.0,
    bins: int = 100,
    human: bool = False,
    foveal_ppd: float | None = None,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """ln L_d = ln black + (ln peak - ln black) P(ln L), P the trimmed and accumulated histogram.

    human       ceiling by what an adapted eye can tell apart, in place of the straight line's slope
    foveal_ppd  pixels per degree: the histogram is one of means over a degree, as the eye adapts; auto takes pixels
                (HDR Toolbox's option: 0.0131 of the longer side, 76 samples along it)
    variant     hdrtoolbox leaves the darkest pixels out of the histogram, shrinks by triangles in place of means, and shows
                nothing of what lies beyond the histogram
    """
    y = luminance(light)
    new = torch.stack([_adjust(f, peak_nits, black_nits, bins, human, foveal_ppd, variant) for f in y])
    return relight(light, y, (new - black_nits) / (peak_nits - black_nits))


def _adjust(
    y: Tensor, peak: float, black: float, bins: int, human: bool, ppd: float | None, variant: str
) -> Tensor:
    """Display luminance of one frame (1, H, W)."""
    seen, toolbox = y, variant == "hdrtoolbox"
    if ppd is not None:
        h, w = (max(1, round(n / ppd)) for n in y.shape[-2:])
        shrunk = (
            imresize(y[None], size=(h, w), kernel="bilinear")
            if toolbox
            else F.adaptive_avg_pool2d(y[None], (h, w))
        )
        seen = shrunk[0]
    x = counted((seen + _DARKEST).log().double())
    if not toolbox:
        least = 1 + int(_ENDS * x.numel())
        ends = (x.flatten().kthvalue(k).values for k in (least, x.numel() + 1 - least))
        x = x.clamp(*ends)
    low, high = float(x.min()), float(x.max())
    if high - low < 1e-6:
        return torch.full_like(y, black + GREY * (peak - black))
    width = (high - low) / bins
    # Accumulated as in HDR Toolbox: rounding decides on which side of the last edge the brightest pixel falls.
    steps = list(accumulate([low] + [width] * bins))
    edges = torch.tensor(steps, dtype=torch.float64, device=x.device)
    # bins exclude their lower edge
    index = torch.bucketize(x.flatten(), edges) - 1
    inner = index[(index >= 0) & (index < bins)] if toolbox else index.clamp(0, bins - 1)
    counts = torch.bincount(inner, minlength=bins).double().cpu()
    total = float(index.numel())
    knots = torch.linspace(low, high, bins, dtype=torch.float64)
    span = log(peak) - log(black)
    for _ in range(_PASSES):
        sum_now = float(counts.sum())
        if sum_now <= 0:
            break
        ceiling = torch.full_like(counts, sum_now * width / span)
        if human:
            shown = (log(black) + span * (counts.cumsum(0) / sum_now)).exp()
            ceiling = ceiling * _visible(shown) / _visible(knots.exp())
        over = float((counts - ceiling).clamp(min=0).sum())
        counts = torch.minimum(counts, ceiling)
        if over <= _CUT * total:
            break
    share = (counts.cumsum(0) / counts.sum().clamp(min=1e-12)).to(y.device)
    place = (y.clamp(min=_DARKEST).log().double() - low) / ((high - low) / (bins - 1))
    within = (
        (place >= 0) & (place <= bins - 1)
        if toolbox and ppd is not None
        else torch.ones_like(y, dtype=torch.bool)
    )
    place = place.clamp(0, bins - 1)
    before = place.floor().long().clamp(max=bins - 2)
    part = share[before] + (place - before) * (share[before + 1] - share[before])
    return (log(black) + span * part * within).exp().to(y.dtype)


def _visible(nits: Tensor) -> Tensor:
    """The smallest visible step relative to its background, of the more sensitive receptor."""
    return torch.minimum(cone_threshold(nits), rod_threshold(nits)) / nits
