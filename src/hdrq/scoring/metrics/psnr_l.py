"""PSNR-L: peak light against the mean difference of L* (L0100)."""

from __future__ import annotations

from math import inf

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import white_note
from hdrq.scoring.features.hdrtools_light import Variant, lab_of
from hdrq.scoring.features.pixel_errors import decibels


@metric(
    Card(
        title="PSNR-L: peak light against the mean difference of L* (L0100)",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="nits",
        needs=("primaries",),
        planes=32,
        map="difference",
        source="MPEG test conditions for HDR; numbers as HDRTools 0.16+, c6670c1",
    )
)
def psnr_l(
    ref: Tensor,
    dist: Tensor,
    *,
    white: float = 100.0,
    variant: Variant = "hdrtools",
    peak: float = 10000.0,
    primaries: Primaries = BT709,
) -> Reading:
    """10 log10(peak / mean |dL*|); neither the peak nor the difference is squared.

    ref, dist  (N, C, H, W), cd/m², in `primaries`
    white      luminance that has L* = 100, cd/m²; the test conditions report 100 (L0100), 1000 and 5000
    variant    hdrtools: luminance and L* in the digits of HDRTools. ciede2000: as CIE defines them
    peak       cd/m² (HDRTools' MaxSampleValue)
    map        |dL*| of every pixel
    """
    a, b = (lab_of(light, primaries, white, variant)[:, :1] for light in (ref, dist))
    errors = (a - b).abs()
    return Reading(decibels(errors.mean((1, 2, 3)), peak), errors, notes=(white_note(white),))
