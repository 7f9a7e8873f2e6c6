"""Kim & Kautz 2008: consistent tone reproduction."""

from __future__ import annotations

from math import log
from typing import Literal

from torch import Tensor

from hdrq.image.statistics import brightest, darkest, luminance, mean, ranked, relight, stretched
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Consistent tone reproduction",
        source="Kim & Kautz 2008, Computer Graphics and Imaging (CGIM); variant as HDR Toolbox 5375d05",
        tunes={"c1": (1, 10), "c2": (0.1, 1)},
        limits={"c1": (0.1, 100), "c2": (0.01, 10), "black_nits": (1e-4, 100)},
    )
)
def kim_kautz(
    light: Tensor,
    *,
    peak_nits: float = 300.0,
    black_nits: float = 0.3,
    c1: float = 3.0,
    c2: float = 0.5,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """A Gaussian weight around the mean of ln L keeps contrast there and gives it up at the ends.

    c1       how many of the weight's widths the scene's range is
    c2       share of contrast that is kept
    variant  paper: the range is that between the ranks 0.1 and 99.9 %, so that single pixels do not set it;
             hdrtoolbox: between the least and the greatest ln(L + 1e-6)
    """
    y = luminance(light)
    toolbox = variant == "hdrtoolbox"
    x = (y + 1e-6).log() if toolbox else y.clamp(min=1e-30).log()
    ends = (darkest(x), brightest(x)) if toolbox else (ranked(x, 0.001), ranked(x, 0.999))
    centre, span = mean(x), (ends[1] - ends[0]).clamp(min=1e-6)
    k1 = (log(peak_nits) - log(black_nits)) / span
    weight = (-((x - centre) ** 2) / (2 * (span / c1) ** 2)).exp()
    new = (c2 * ((1 - k1) * weight + k1) * (x - centre) + centre).exp()
    low, high = ranked(new, 0.01), ranked(new, 0.99)
    return relight(light, y, stretched(new, low, high).clamp(0, 1))
