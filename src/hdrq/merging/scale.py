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
    absolute = all(e.absolute is not None for e in exposures)
    if requested == "absolute" and not absolute:
        raise UsageError(
            "the absolute scale needs time, aperture and ISO of every frame; use --scale relative or median"
        )
    if requested in ("auto", "absolute") and absolute:
        # radiance is response / relative exposure; white / exposure is the luminance at which the sensor clips
        ratio = exposures[0].relative / exposures[0].absolute  # type: ignore[operator]
        white = float(calibration.response.curve[-1].max())
        factor = ratio * CLIP_OVER_GREY / white
        return factor, "absolute: cd/m², from time, aperture and ISO (nominal, within a stop)"
    if requested == "median":
        middle = float(luminance(radiance[None], primaries).flatten().double().median())
        if middle <= 0:
            raise PixelError("the median of the merge is 0; use --scale relative")
        return 1 / middle, "median: the median luminance is 1"
    known = "ratios only: time, aperture or ISO unknown" if requested == "auto" else "as asked"
    return 1.0, f"relative: response over exposure ({known})"
