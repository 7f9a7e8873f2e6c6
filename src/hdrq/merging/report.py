"""The findings of a merge as one record."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np
from torch import Tensor

import hdrq
from hdrq.image.color import luminance
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.deghosting.bitmap_ghosts import BitmapGhosts
from hdrq.merging.deghosting.ghost_weights import ReferenceGhosts
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.response.calibration import Calibration
from hdrq.records import BT709, Primaries

# stops of bias between neighbouring exposures above which a note is made
DOUBTFUL = 0.1
# Stops of RMS difference between them, in flat regions of the reference, above which a note is made.
SCATTERED = 0.8
# share of the image with motion above which a note is made
MUCH = 0.2


@dataclass(frozen=True)
class FrameReport:
    """One frame: its alignment, its exposure and its use."""

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
    """The record of a merge. bias, rms: stops between neighbours; stops: dynamic range; scale: in words, with its factor;
    raw: levels and white balance of raw files; mosaic: whether `frames` are the pixels of each exposure of one frame."""

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
    fused: bool = False
    mosaic: bool = False
    version: str = hdrq.__version__


def report_of(
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration | None,
    rule: str,
    pixels: Tensor,
    ghosts: ReferenceGhosts | BitmapGhosts | None,
    factor: float,
    scale: str,
    primaries: Primaries = BT709,
) -> MergeReport:
    """The record of a merge, or of a fusion, which has no calibration. `primaries` are those of the pixels."""
    survey, ends = alignment.survey, stack.order
    height, width = (int(n) for n in pixels.shape[-2:])
    turned = stack.sensor is not None and stack.sensor.turns
    notes = [*stack.notes, *alignment.notes]
    notes += [f"{m} and was not aligned, so that edges may be doubled; see --align" for m in alignment.moved]
    found: dict[str, Any] = {"bias": 0.0, "rms": 0.0, "pairs": []}
    response, noise = "none (fusion)", (0.0, 0.0)
    if calibration is not None:
        found, response = calibration.consistency, calibration.response.how
        noise = (calibration.noise.photon, calibration.noise.read)
        notes += calibration.notes
        if found["bias"] > DOUBTFUL:
            notes.append(
                f"neighbouring exposures disagree by {found['bias']:.2f} stops: the response, the exposures or the alignment "
                "may be wrong; see --estimate-exposures, --response, --align"
            )
        if any(e.absolute is None for e in stack.exposures):
            notes.append("aperture, ISO or time unknown: only ratios of exposures are used")
        notes += _disagreement(
            found, ghosts, all(p.how in ("none", "reference") for p in alignment.placements)
        )
    return MergeReport(
        frames=tuple(_frame(stack, alignment, calibration, ghosts, i) for i in range(len(stack))),
        reference=stack.names[alignment.reference],
        size=(height, width),
        crop=(0, height, 0, width) if turned else alignment.area,
        response=response,
        bias=found["bias"],
        rms=found["rms"],
        pairs=tuple(found["pairs"]),
        noise=noise,
        ghosts=0.0 if ghosts is None else float((ghosts.mask > 127).float().mean()),
        clipped_everywhere=survey.white[ends[0]],
        black_everywhere=survey.black[ends[-1]],
        stops=stops_of(
            luminance(pixels, primaries), 0.0 if calibration is None else factor * _least(stack, calibration)
        ),
        scale=scale,
        factor=factor,
        rule=rule,
        fused=calibration is None,
        notes=tuple(notes),
        raw=stack.raw,
    )


def _disagreement(
    found: dict[str, Any], ghosts: ReferenceGhosts | BitmapGhosts | None, unaligned: bool
) -> list[str]:
    """Notes where frames differ by more than exposures of one scene should."""
    way = (
        "the frames were not aligned: see --align auto"
        if unaligned
        else "see --align, --response, --ghost-mask"
    )
    share = 0.0 if ghosts is None else float((ghosts.mask > 127).float().mean())
    if share > MUCH:
        return [f"{100 * share:.0f} % of the image is detected as motion; {way}"]
    if found["rms"] > SCATTERED:
        return [f"the RMS difference between neighbouring exposures is {found['rms']:.2f} stops; {way}"]
    return []


def _frame(
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration | None,
    ghosts: ReferenceGhosts | BitmapGhosts | None,
    i: int,
) -> FrameReport:
    survey, place = alignment.survey, alignment.placements[i]
    used = stack.seconds if calibration is None else calibration.seconds
    off = None if calibration is None or calibration.misfit is None else float(calibration.misfit[i])
    return FrameReport(
        file=stack.names[i],
        exposure=str(stack.exposures[i]),
        relative=float(stack.seconds[i]),
        used=float(used[i]),
        off_stops=off,
        clipped=survey.white[i],
        black=survey.black[i],
        shift=place.shift,
        how=place.how,
        overlap=place.overlap,
        ghosts=0.0 if ghosts is None else float(ghosts.share[i]),
        why=place.why,
    )


def _least(stack: ExposureStack, calibration: Calibration) -> float:
    """The smallest light that the stack distinguishes from black: one code above black in the longest frame."""
    curve = calibration.response.table(stack.levels).min(1)
    return float(curve[curve > 0][0] / calibration.seconds.max())


def stops_of(y: Tensor, least: float) -> float:
    """log2 of the ratio between the 99.99th and the 0.01th percentile of luminance, neither below `least`."""
    y = y.flatten()
    y = y[:: max(1, len(y) // 2_000_000)]
    values = y.numpy()
    values = values if (values > 0).all() else values[values > 0]
    if len(values) < 2:
        return 0.0
    low, high = np.maximum(_ends(values, 1e-4), least)
    return log2(high / low)


def _ends(values: np.ndarray, share: float, step: int = 101) -> tuple[float, float]:
    """The quantiles of `share` and of 1 - `share`, (n,), by sorting only the values beyond those of a sample."""
    rough = np.sort(values[::step])
    more = int(4 * share * len(rough)) + 8
    at = share * (len(values) - 1)
    if len(rough) > 4 * more:
        low, high = values[values <= rough[more]], values[values >= rough[-1 - more]]
        if min(len(low), len(high)) > at + 1:
            ends = np.quantile(low, at / (len(low) - 1)), np.quantile(high, 1 - at / (len(high) - 1))
            return float(ends[0]), float(ends[1])
    low, high = np.quantile(values, [share, 1 - share])
    return float(low), float(high)
