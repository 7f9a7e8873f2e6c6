"""Akyüz 2007: linear expansion, optionally with an exponent."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.statistics import brightest, darkest, luminance, ratio, relight
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Do HDR displays support LDR content?",
        source="Akyüz, Fleming, Riecke, Reinhard & Bülthoff 2007, doi:10.1145/1276377.1276425",
        reads="code",
        gives="nits",
        robust=False,
    )
)
def akyuz(
    code: Tensor, *, peak_nits: float = 5000.0, gamma: float = 1.0, transfer: Transfer = "srgb"
) -> Tensor:
    """peak ((L - L_min) / (L_max - L_min))^gamma."""
    light = linearise(code, transfer)
    y = luminance(light)
    place = ratio(y - darkest(y), brightest(y) - darkest(y)).clamp(min=1e-9)
    return relight(light, y, peak_nits * place**gamma)
