"""The questions that HDR-VDP 3 answers: constants of the program, version 3.0.7."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

from hdrq.scoring.features.steerable import Filters


@dataclass(frozen=True)
class Task:
    """Constants fitted to one question asked of observers; numbers are log10.

    gain   of the response
    own, near, cross  masking by the band itself, by neighbouring bands, by other orientations; None: none
    q, p   exponents of masking and excitation
    slope  of the psychometric function
    reach  degrees over which probability sums up; None: contrast sums up over the whole image instead
    """

    gain: float
    own: float
    near: float | None
    cross: float | None
    q: float
    p: float = 0.3424
    slope: float = 0.34
    reach: float | None = -0.502280453708
    filters: Filters = "sp0"


QUALITY = Task(0.203943775672, 1.41846291721, 0.136877512403, None, 0.108934275615)
TASKS = {
    "quality": QUALITY,
    "side-by-side": QUALITY,
    "flicker": Task(
        *(0.359225308021 + 0.14178269059, 1.48041073222, 0.00886149078207, None, 0.11339123107),
        slope=0.591472024776,
        reach=-0.511779476487,
    ),
    "detection": Task(
        *(-1.0, 1.73128, None, 0.816109, 0.290256),
        p=log10(2.2),
        slope=log10(3.5),
        reach=None,
        filters="sp3",
    ),
}
STRUCTURE_GAIN = 0.2501039518897  # of task civdm
