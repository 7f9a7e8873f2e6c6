"""CIE 1994 colour difference, graphic arts."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import card, cie94, read_lab
from hdrq.scoring.features.pixel_errors import Pool


@metric(
    card(
        title="CIE 1994 colour difference, graphic arts",
        unit="ΔE*94",
        source="CIE 116-1995",
    )
)
def delta_e_94(
    ref: Tensor, dist: Tensor, *, white: float = 100.0, pool: Pool = "mean", primaries: Primaries = BT709
) -> Reading:
    """Distance of L*a*b* colours in which chroma and hue count less the more colourful the reference is.

    ref, dist  (N, C, H, W), cd/m², in `primaries`; one channel is the luminance of grey
    white      luminance that has L* = 100, cd/m²; its colour is D65. Light above it has a larger L*
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    Not symmetric: the chroma of `ref` sets the weights. kL = kC = kH = 1, K1 = 0.045, K2 = 0.015.
    """
    return read_lab(cie94, ref, dist, pool, primaries, white)
