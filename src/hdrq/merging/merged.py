"""The result of a merge."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hdrq.merging.report import MergeReport
from hdrq.merging.response.curve import Response
from hdrq.records import Image


@dataclass(frozen=True)
class Merged:
    """image: radiance, or code for a fusion;  report: all findings;  response: None for a fusion;
    uncertainty (C, H, W): standard errors, if requested;  ghosts (H, W) uint8: 255 where frames were excluded."""

    image: Image
    report: MergeReport
    response: Response | None
    uncertainty: Tensor | None = None
    ghosts: Tensor | None = None
