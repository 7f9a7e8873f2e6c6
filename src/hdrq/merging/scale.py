"""The unit of a merge: cd/m² where time, aperture and ISO are known, or ratios."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.image.arithmetic import all_finite
from hdrq.image.color import luminance
from hdrq.io.exposures import Exposure
from hdrq.merging.response.calibration import Calibration
from hdrq.merging.settings import Scale
from hdrq.records import Primaries

# Luminance at which a sensor of speed S clips is 78 N²/(0.65 S t) cd/m² (ISO 12232, saturation-based speed, with
# q = 0.65), which is 78 / (0.65 K) times the luminance that a light meter maps to mid-grey.
CLIP_OVER_GREY = 78 / (0.65 * 12.5)


def check_finite(radiance: Tensor) -> None:
    """PixelError where a merged value is NaN or Inf."""
    if not all_finite(radiance):
        bad = int((~torch.isfinite(radiance)).sum())
        raise PixelError(f"{bad} merged values are NaN or Inf; check the response and the exposures")


def scale_of(
    requested: Scale,
    radiance: Tensor,
    exposures: list[Exposure],
    calibration: Calibration,
    primaries: Primaries,
) -> tuple[float, str]:
    """(factor on the merged values, their meaning)."""
    if requested == "median":
        middle = float(luminance(radiance[None], primaries).flatten().double().median())
        if middle <= 0:
            raise PixelError("the median of the merge is 0; use --scale relative")
        return 1 / middle, "median: the median luminance is 1"
    factor = None
    if all(e.absolute is not None for e in exposures):
        # radiance is response / relative exposure; white / exposure is the luminance at which the sensor clips
        ratio = exposures[0].relative / exposures[0].absolute  # type: ignore[operator]
        factor = ratio * CLIP_OVER_GREY / float(calibration.response.curve[-1].max())
    return stated_scale(requested, factor, "every frame", "relative or median")


def stated_scale(
    requested: Scale, factor: float | None, known_of: str, others: str = "relative"
) -> tuple[float, str]:
    """(factor on the merged values, their meaning) where the unit is cd/m², or ratios.

    factor    to cd/m²; None where time, aperture or ISO are unknown
    known_of  whose time, aperture and ISO are needed, and others, the scales that need none, for an error
    """
    if requested == "absolute" and factor is None:
        raise UsageError(
            f"the absolute scale needs time, aperture and ISO of {known_of}; use --scale {others}"
        )
    if requested in ("auto", "absolute") and factor is not None:
        return factor, "absolute: cd/m², from time, aperture and ISO (nominal, within a stop)"
    known = "ratios only: time, aperture or ISO unknown" if requested == "auto" else "as asked"
    return 1.0, f"relative: response over exposure ({known})"
