"""What a merge found, as one record."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np
from torch import Tensor

import hdrq
from hdrq.image.color import luminance
from hdrq.merging.alignment.chain import Alignment
from hdrq.merging.calibration import Calibration
from hdrq.merging.deghosting.trust import BitmapTrust, ReferenceTrust
from hdrq.merging.exposure_stack import Bracket

DOUBTFUL = 0.1  # stops of bias between neighbours


@dataclass(frozen=True)
class FrameReport:
    """One frame: where it lies, how it was exposed, what of it was used."""

    file: str
    exposure: str
    relative: float
    used: float
    off_stops: float | None
    clipped: float
    black: float
    shift: tuple[float, float]
    how: str
    overlap: float
    ghosts: float
    why: str = ""


@dataclass(frozen=True)
class MergeReport:
    """What a merge found. bias, rms: stops between neighbours; stops: dynamic range; scale: in words, with its factor;
    raw: levels and white balance of raw files."""

    frames: tuple[FrameReport, ...]
    reference: str
    size: tuple[int, int]
    crop: tuple[int, int, int, int]
    response: str
    bias: float
    rms: float
    pairs: tuple[dict[str, Any], ...]
    noise: tuple[float, float]
    ghosts: float
    clipped_everywhere: float
    black_everywhere: float
    stops: float
    scale: str
    factor: float
    rule: str
    notes: tuple[str, ...]
    raw: str = ""
    version: str = hdrq.__version__


def report_of(
    bracket: Bracket,
    alignment: Alignment,
    calibration: Calibration | None,
    rule: str,
    pixels: Tensor,
    trust: ReferenceTrust | BitmapTrust | None,
    factor: float,
    scale: str,
) -> MergeReport:
    """The record of a merge, or of a fusion where there is no calibration."""
    survey, ends = alignment.survey, bracket.order
    height, width = (int(n) for n in pixels.shape[-2:])
    turned = bracket.sensor is not None and bracket.sensor.turns
    notes = list(bracket.notes)
    found: dict[str, Any] = {"bias": 0.0, "rms": 0.0, "pairs": []}
    response, noise = "none (fusion)", (0.0, 0.0)
    if calibration is not None:
        found, response = calibration.consistency, calibration.response.how
        noise = (calibration.noise.photon, calibration.noise.read)
        notes += calibration.notes
        if found["bias"] > DOUBTFUL:
            notes.append(
                f"neighbouring exposures disagree by {found['bias']:.2f} stops: the response, the exposures or the alignment "
                "is off; see --estimate-exposures, --response, --align"
            )
        if any(e.absolute is None for e in bracket.exposures):
            notes.append("aperture, ISO or time unknown: only ratios of exposures are used")
    return MergeReport(
        frames=tuple(_frame(bracket, alignment, calibration, trust, i) for i in range(len(bracket))),
        reference=bracket.names[alignment.reference],
        size=(height, width),
        crop=(0, height, 0, width) if turned else alignment.area,
        response=response,
        bias=found["bias"],
        rms=found["rms"],
        pairs=tuple(found["pairs"]),
        noise=noise,
        ghosts=0.0 if trust is None else float((trust.mask > 127).float().mean()),
        clipped_everywhere=survey.white[ends[0]],
        black_everywhere=survey.black[ends[-1]],
        stops=_stops(pixels),
        scale=scale,
        factor=factor,
        rule=rule if calibration else "mertens",
        notes=tuple(notes),
        raw=bracket.raw,
    )


def _frame(
    bracket: Bracket,
    alignment: Alignment,
    calibration: Calibration | None,
    trust: ReferenceTrust | BitmapTrust | None,
    i: int,
) -> FrameReport:
    survey, place = alignment.survey, alignment.placements[i]
    used = bracket.seconds if calibration is None else calibration.seconds
    off = None if calibration is None or calibration.misfit is None else float(calibration.misfit[i])
    return FrameReport(
        file=bracket.names[i],
        exposure=str(bracket.exposures[i]),
        relative=float(bracket.seconds[i]),
        used=float(used[i]),
        off_stops=off,
        clipped=survey.white[i],
        black=survey.black[i],
        shift=place.shift,
        how=place.how,
        overlap=place.overlap,
        ghosts=0.0 if trust is None else float(trust.share[i]),
        why=place.why,
    )


def _stops(pixels: Tensor) -> float:
    """log2 of the ratio between the 99.99th and the 0.01th percentile of luminance."""
    y = luminance(pixels).flatten()
    y = y[:: max(1, len(y) // 2_000_000)]
    y = y[y > 0]
    if len(y) < 2:
        return 0.0
    low, high = np.quantile(y.numpy(), [1e-4, 1 - 1e-4])
    return log2(high / low)
