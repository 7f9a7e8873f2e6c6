"""Ward 1994: one gain that keeps just noticeable differences just noticeable."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.statistics import log_mean, luminance
from hdrq.tonemapping.adaptation import visible_scale
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Contrast-based scale factor",
        source="Ward 1994, Graphics Gems IV, pages 415-421",
        reads="nits",
        display=("peak_nits",),
        tunes={"adaptation_nits": (0.01, 1e5)},
    )
)
def ward_1994(light: Tensor, *, peak_nits: float = 100.0, adaptation_nits: float | None = None) -> Tensor:
    """m C / peak, m = ((1.219 + (peak/2)^0.4) / (1.219 + L_wa^0.4))^2.5.

    adaptation_nits  L_wa, what the eye is adapted to in the scene; auto is the geometric mean
    """
    adapted = log_mean(luminance(light)) if adaptation_nits is None else adaptation_nits
    result: Tensor = light * (visible_scale(adapted, peak_nits) / peak_nits)
    return result
