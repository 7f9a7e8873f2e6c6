"""Masia 2009: a gamma that depends on the image's key."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.statistics import luminance, relight
from hdrq.tonemapping.expansion import Transfer, linearise
from hdrq.tonemapping.exposure import relative_key
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Evaluation of reverse tone mapping through varying exposure conditions",
        source="Masia, Agustin, Fleming, Sorkine & Gutierrez 2009, doi:10.1145/1618452.1618506",
        reads="code",
        gives="nits",
    )
)
def masia_2009(code: Tensor, *, peak_nits: float = 5000.0, transfer: Transfer = "srgb") -> Tensor:
    """peak L^γ, γ = 10.44 k - 6.282 within 1..4, k the place of ln L̄ between the 1 and 99 % ranks."""
    light = linearise(code, transfer)
    y = luminance(light)
    power = (10.44 * relative_key(y) - 6.282).clamp(1, 4)
    return relight(light, y, peak_nits * y.clamp(min=1e-9) ** power)
