"""FLIP: visible differences when two rendered images alternate."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.transfer import srgb_to_linear
from hdrq.scoring.features.flip_error import flip_error
from hdrq.scoring.features.pixel_errors import WeightedPool, weighted_pool


@metric(
    Card(
        title="FLIP: visible differences when two rendered images alternate",
        unit="1",
        better="lower",
        span=(0, 1),
        best=0.0,
        reads="srgb",
        needs=("ppd",),
        planes=48,
        map="error",
        source="Andersson et al., HPG 2020, doi:10.1145/3406183; numbers as flip-evaluator 1.7",
    )
)
def flip(ref: Tensor, dist: Tensor, *, pool: WeightedPool = "mean", ppd: float = 67.0206433) -> Reading:
    """Colour differences after contrast sensitivity, raised where edges or points differ; LDR-FLIP of sRGB code.

    ref, dist  (N, C, H, W), sRGB code 0..1; values outside are clipped
    pool       mean; or q1, median, q3 weighted by the error, as flip prints them; or min, max
    ppd        pixels per degree. The program's own is 67.0206: 3840 pixels of 0.7 m seen from 0.7 m
    map        error of every pixel, 0..1
    """
    a, b = (srgb_to_linear(code.clamp(0, 1)).expand(-1, 3, -1, -1) for code in (ref, dist))
    errors = flip_error(a, b, ppd)
    return Reading(weighted_pool(errors, pool), errors)
