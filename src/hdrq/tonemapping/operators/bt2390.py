"""BT.2390's electrical-electrical transfer function: a Hermite roll-off in PQ."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.statistics import brightest, luminance, parameter, ratio, relight
from hdrq.image.transfer import nits_to_pq, pq_to_nits
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="BT.2390 EETF",
        source="ITU-R BT.2390-10 section 5.4.1, now BT.2408-7 annex 5",
        reads="nits",
        display=("peak_nits", "black_nits"),
        robust=False,
        tunes={"peak_nits": (50, 1000)},
        limits={"peak_nits": (1, 10000), "source_nits": (1, 10000), "source_black_nits": (0, 0.9)},
    )
)
def bt2390(
    light: Tensor,
    *,
    peak_nits: float = 100.0,
    black_nits: float = 0.0,
    source_nits: float | None = None,
    source_black_nits: float = 0.0,
    on: Literal["max", "luminance", "rgb"] = "max",
) -> Tensor:
    """Light of a mastering display, cd/m², on a smaller one; over its peak.

    source_nits  white of the mastering display; auto is the brightest value, up to 10 000 cd/m²
    on           what the curve is applied to: the largest channel, luminance, or every channel
    """
    read = {"max": lambda c: c.amax(1, keepdim=True), "luminance": luminance, "rgb": lambda c: c}[on](light)
    top = (
        brightest(light).clamp(max=10000)
        if source_nits is None
        else torch.full_like(read[:1, :1, :1, :1], source_nits)
    )
    white, black = nits_to_pq(top), nits_to_pq(torch.full_like(top, source_black_nits))
    span = (white - black).clamp(min=1e-6)
    wanted_white, wanted_black = (nits_to_pq(parameter(n)) for n in (peak_nits, black_nits))
    highest, lowest = (
        ((wanted_white - black) / span).clamp(max=1),
        ((wanted_black - black) / span).clamp(min=0),
    )
    e = ((nits_to_pq(read) - black) / span).clamp(0, 1)
    e = _roll_off(e, highest)
    e = e + lowest * (1 - e) ** 4
    new = pq_to_nits(e * span + black) / peak_nits
    return new if on == "rgb" else relight(light, read, new)


def _roll_off(e: Tensor, highest: Tensor) -> Tensor:
    """1:1 below the knee, then a Hermite spline that ends flat at `highest`."""
    knee = 1.5 * highest - 0.5
    t = ratio(e - knee, 1 - knee).clamp(0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * highest
    )
    return torch.where(e < knee, e, spline)
