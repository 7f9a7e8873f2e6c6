"""Yee & Pattanaik 2003: a global operator with adaptation to the segments of every pixel."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.statistics import luminance, parameter, relight
from hdrq.tonemapping.adaptation import equal_brightness, scotopic, thresholds_kept, visible_scale
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.solvers.segments import adaptation


@operator(
    OperatorCard(
        title="Segmentation and adaptive assimilation for detail-preserving display",
        source="Yee & Pattanaik 2003, doi:10.1007/s00371-003-0211-5, with the curves of Ward 1994, "
        "Tumblin & Rushmeier 1993 and Ferwerda et al. 1996",
        reads="nits",
        temporal=False,
        tunes={"display_nits": (1, 100)},
        limits={"layers": (1, 64), "smallest": (0, 0.2), "display_nits": (0.1, 1e4)},
        display=("peak_nits",),
        needs={
            "display_nits": ("curve", ("tumblin", "ferwerda")),
            "variant": ("curve", ("tumblin", "ferwerda")),
        },
    )
)
def yee_pattanaik(
    light: Tensor,
    *,
    curve: Literal["ward", "tumblin", "ferwerda"] = "tumblin",
    peak_nits: float = 100.0,
    display_nits: float | None = None,
    layers: int = 32,
    smallest: float = 0.001,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """What a global operator shows of a pixel when the eye is adapted to the pixel's segments.

    curve         ward: the scale factor of visible steps; tumblin: equal brightness; ferwerda: thresholds of cones and rods
    display_nits  what the viewer is adapted to; auto is a fifth of the peak for tumblin, half of it for ferwerda
    layers        of segmentation, with categories from 0.5 to 2 log10 units wide
    smallest      share of the pixels below which a group joins its nearest neighbour
    variant       hdrtoolbox: its logarithm in tumblin, and cones' luminance for rods in ferwerda; its segments differ (0.1
                  log10 units, root mean square)
    """
    y = luminance(light)
    return shown_adapted(light, y, adaptation(y, layers, smallest), curve, peak_nits, display_nits, variant)


def shown_adapted(
    light: Tensor,
    y: Tensor,
    adapted: Tensor,
    curve: str,
    peak_nits: float,
    display_nits: float | None,
    variant: str,
) -> Tensor:
    """Share of the display's peak of light under adaptation to `adapted`, (N, 1, H, W) cd/m²."""
    if curve == "ward":
        result: Tensor = visible_scale(adapted, peak_nits) * light / peak_nits
        return result
    toolbox = variant == "hdrtoolbox"
    share = 0.2 if curve == "tumblin" else 0.5
    viewer = parameter(share * peak_nits if display_nits is None else display_nits).to(y)
    if curve == "tumblin":
        return relight(light, y, equal_brightness(y, adapted, viewer, 100.0, toolbox) / peak_nits)
    dim = y if toolbox or light.shape[1] == 1 else scotopic(light)
    return thresholds_kept(light, dim, adapted, viewer.expand_as(adapted), peak_nits)
