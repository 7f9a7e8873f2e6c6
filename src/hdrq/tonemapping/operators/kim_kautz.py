"""Kim & Kautz 2008: consistent tone reproduction."""

from __future__ import annotations

from math import log

from torch import Tensor

from hdrq.image.statistics import brightest, darkest, luminance, mean, ranked, ratio, relight
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Consistent tone reproduction",
        source="Kim & Kautz 2008, Computer Graphics and Imaging (CGIM)",
        tunes={"c1": (1, 10), "c2": (0.1, 1)},
    )
)
def kim_kautz(
    light: Tensor, *, peak_nits: float = 300.0, black_nits: float = 0.3, c1: float = 3.0, c2: float = 0.5
) -> Tensor:
    """A Gaussian weight around the mean of ln L keeps contrast there and gives it up at the ends.

    c1  how many of the weight's widths the scene's range is
    c2  share of contrast that is kept
    """
    y = luminance(light)
    x = (y + 1e-6).log()
    centre, span = mean(x), (brightest(x) - darkest(x)).clamp(min=1e-6)
    k1 = (log(peak_nits) - log(black_nits)) / span
    weight = (-((x - centre) ** 2) / (2 * (span / c1) ** 2)).exp()
    new = (c2 * ((1 - k1) * weight + k1) * (x - centre) + centre).exp()
    low, high = ranked(new, 0.01), ranked(new, 0.99)
    return relight(light, y, ratio(new - low, high - low).clamp(0, 1))
