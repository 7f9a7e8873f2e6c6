"""PSNR-DE: peak light against the mean CIEDE2000 difference (DE0100)."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Literal

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import ciede2000, white_note
from hdrq.scoring.features.hdrtools_light import Variant, lab_of
from hdrq.scoring.features.pixel_errors import by_rows, decibels
from hdrq.scoring.features.pixel_errors import pool as pooled


@metric(
    Card(
        title="PSNR-DE: peak light against the mean CIEDE2000 difference (DE0100)",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="nits",
        needs=("primaries",),
        planes=40,
        map="difference",
        source="MPEG test conditions for HDR; numbers as HDRTools 0.16+, c6670c1",
    )
)
def psnr_de(
    ref: Tensor,
    dist: Tensor,
    *,
    white: float = 100.0,
    variant: Variant = "hdrtools",
    pool: Literal["mean", "max"] = "mean",
    peak: float = 10000.0,
    primaries: Primaries = BT709,
) -> Reading:
    """10 log10(peak / pooled CIEDE2000 difference); neither the peak nor the difference is squared.

    ref, dist  (N, C, H, W), cd/m², in `primaries`
    white      luminance that has L* = 100, cd/m²; the test conditions report 100 (DE0100), 1000 and 5000
    variant    hdrtools: matrices of four digits and the plain mean of two hues, as the numbers of standards are made (hues on
               both sides of 180 degrees are averaged to the opposite hue). ciede2000: the formula as it is defined
    pool       mean (PSNR-DE) or max (PSNR-MD; HDRTools carries the largest difference from one white to the next, this does not)
    peak       cd/m² (HDRTools' MaxSampleValue)
    map        the difference of every pixel
    extra      delta_e_mean, delta_e_max
    """
    difference = partial(ciede2000, naive_hue=variant == "hdrtools")
    errors = by_rows(difference, *(lab_of(light, primaries, white, variant) for light in (ref, dist)))
    found = {how: pooled(errors, how) for how in ("mean", "max")}
    return Reading(
        decibels(found[pool], peak),
        errors,
        {f"delta_e_{how}": v for how, v in found.items()},
        notes=(white_note(white),),
    )
