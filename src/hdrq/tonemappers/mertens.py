"""Mertens 2007 on exposures that are cut out of one HDR picture."""

from __future__ import annotations

from torch import Tensor

from hdrq.ops.fusion import fuse
from hdrq.ops.operator import OperatorCard, operator
from hdrq.ops.scene import luminance, quantile
from hdrq.ops.transfer import linear_to_srgb


@operator(
    OperatorCard(
        title="Exposure fusion from HDR",
        source="Mertens, Kautz & Van Reeth 2007, doi:10.1109/PG.2007.17",
        gives="code",
        tunes={"contrast": (0, 2), "saturation": (0, 2), "exposedness": (0, 2)},
    )
)
def mertens(
    light: Tensor,
    *,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposedness: float = 1.0,
    step: float = 2.0,
    most: int = 5,
) -> Tensor:
    """Fuse sRGB exposures that put the ranks from 1 to 99.5 % of luminance at middle grey, one every `step` stops.

    contrast, saturation, exposedness  exponents of the three weights
    most                               exposures at most
    """
    y = luminance(light).clamp(min=1e-9)
    low, high = quantile(y, 0.01).log2(), quantile(y, 0.995).log2()
    count = int(min(max(2, float((high - low).detach().max()) // step + 1), most))
    shares = [i / (count - 1) for i in range(count)]
    stack = [linear_to_srgb((light * 0.18 / 2 ** (low + s * (high - low))).clamp(0, 1)) for s in shares]
    return fuse(stack, contrast, saturation, exposedness).clamp(0, 1)
