"""The logarithm of luminance over that of its maximum."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.arithmetic import in_strips
from hdrq.image.statistics import brightest, luminance, ratio, relight
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Logarithmic",
        source="Banterle et al., Advanced High Dynamic Range Imaging, 2nd ed. 2017, section 3.2.1",
        robust=False,
        tunes={"q": (0.01, 1e6), "k": (0.01, 1e6)},
        limits={"q": (1e-6, 1e12), "k": (1e-6, 1e12)},
    )
)
def logarithmic(light: Tensor, *, q: float = 1.0, k: float = 1.0) -> Tensor:
    """L_d = log10(1 + q L) / log10(1 + k L_max). The brightest pixel sets the scale."""
    y = luminance(light)
    top = (k * brightest(y)).log1p()
    return in_strips(lambda c, y: relight(c, y, ratio((q * y).log1p(), top)), light, y)
