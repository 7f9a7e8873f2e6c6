"""The structural half of TMQI-II: local contrast and structure of a scene that a tone-mapped image keeps."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.tone_fidelity import WINDOW, structure


@metric(
    Card(
        title="Structural fidelity of the tone-mapped image quality index II",
        unit="1",
        better="higher",
        span=(-1, 1),
        reads="srgb",
        reference="linear",
        side=WINDOW,
        planes=42,
        source="Ma, Yeganeh, Zeng, Wang 2015, doi:10.1109/TIP.2015.2436340; numbers as in krasuluk/FFTMI 2a8d1f3",
    )
)
def tmqi2_s(ref: Tensor, dist: Tensor) -> Reading:
    """Mean structural fidelity at one scale, with contrast of light relative to the light.

    ref   linear light in any unit; dist  sRGB code 0..1
    map   fidelity where whole windows of 11 x 11 fit
    The naturalness half of TMQI-II was in no source we could use, so there is no overall TMQI-II here.
    """
    value, fidelity = structure(ref, 255 * dist)
    return Reading(value.to(dist), fidelity.to(dist))
