"""Ferwerda 1996: thresholds of cones and rods matched on the display."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.statistics import brightest, log_mean, luminance, parameter
from hdrq.tonemapping.adaptation import scotopic, threshold_matched
from hdrq.tonemapping.operator import OperatorCard, operator

# Adaptation luminance over the geometric mean, as of pattanaik in pfstools 2.2.
_ADAPTED = 5.0


@operator(
    OperatorCard(
        title="A model of visual adaptation for realistic image synthesis",
        source="Ferwerda, Pattanaik, Shirley & Greenberg 1996, doi:10.1145/237170.237262; rods' luminance and hue as "
        "Larson, Rushmeier & Piatko 1997 and Krawczyk 2005 make them from colour",
        reads="nits",
        display=("peak_nits",),
        tunes={"adaptation_nits": (0.001, 1e5)},
    )
)
def ferwerda(
    light: Tensor,
    *,
    peak_nits: float = 100.0,
    display_nits: float | None = None,
    adaptation_nits: float | None = None,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """C_d = m_cone C + m_rod k V (1.05, 0.97, 1.27), over the display's peak.

    display_nits     what the viewer of the display is adapted to; auto is half the peak
    adaptation_nits  what the eye is adapted to in the scene; auto is 5 L̄ (hdrtoolbox and the paper: half the brightest,
                     with which a single lamp makes the rest black)
    variant          hdrtoolbox gives rods the luminance of cones
    """
    y = luminance(light)
    if adaptation_nits is not None:
        scene = torch.zeros_like(y[:, :, :1, :1]) + parameter(adaptation_nits)
    else:
        scene = brightest(y) / 2 if variant == "hdrtoolbox" else _ADAPTED * log_mean(y)
    display = torch.zeros_like(scene) + parameter(peak_nits / 2 if display_nits is None else display_nits)
    dim = y if variant == "hdrtoolbox" or light.shape[1] == 1 else scotopic(light)
    return threshold_matched(light, dim, scene, display, peak_nits)
