"""Normalised Laplacian pyramid distance (2017), of luminance."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import power
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import luminance
from hdrq.scoring.features.normalized_laplacian import Program, distances, normalized_2017

# of the retina's response to luminance
GAMMA = 2.6
# exponent of the mean over bands
SUMMATION = 0.6


@metric(
    Card(
        title="Normalised Laplacian pyramid distance (2017), of luminance",
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("primaries",),
        side=8,
        planes=24,
        source="Laparra, Berardino, Ballé, Simoncelli, JOSA A 2017, doi:10.1364/JOSAA.34.001511",
    )
)
def nlpd(
    ref: Tensor,
    dist: Tensor,
    *,
    variant: Program = "tensorflow",
    channels: Literal["luminance", "rgb"] = "luminance",
    primaries: Primaries = BT709,
) -> Reading:
    """Distance of luminance^(1/2.6) in band-pass images divided by their local contrast: a model of the early visual system.

    ref, dist  (N, C, H, W), cd/m², in `primaries`
    variant    tensorflow: six bands, as the co-author's google-research/perceptual-quality 478157a. python: as the first author's
               Valerolaparra/NLPD 4c8b8b9, bands by the size, those from the sixth on divided pixel by pixel
    channels   luminance, or rgb: the mean of the distances of three channels of light
    extra      band1, band2, ...: root mean square difference of each band, fine to coarse
    The bands' differences are averaged by the power 0.6. The tensorflow program refuses sides below 65 pixels; here borders
    mirror as often as they must.
    """
    planes = [luminance(light, primaries) if channels == "luminance" else light for light in (ref, dist)]
    bands = [normalized_2017(power(plane, 1 / GAMMA), variant) for plane in planes]
    found = distances(*bands)
    value = (power(found, SUMMATION).mean(0) ** (1 / SUMMATION)).mean(1)
    return Reading(value, None, {f"band{k}": d.mean(1) for k, d in enumerate(found, 1)})
