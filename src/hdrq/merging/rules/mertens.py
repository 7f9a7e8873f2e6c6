"""Exposure fusion: the best-looking parts of all frames, blended without radiance in between."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.exposure_fusion import Variant, fuse
from hdrq.merging.rule import MergerCard, merger


@merger(
    MergerCard(
        title="Exposure fusion by contrast, saturation and nearness to mid-grey",
        kind="fusion",
        source="Mertens, Kautz & Van Reeth, Pacific Graphics 2007, doi:10.1109/PG.2007.17; borders as in OpenCV 5",
    )
)
def mertens(
    frames: Tensor,
    *,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposure: float = 1.0,
    variant: Variant = "opencv",
) -> Tensor:
    """(N, C, H, W) codes 0..1 of one scene to one picture (C, H, W); not clipped, a little may leave 0..1.

    variant  "toolbox": HDR Toolbox's grey, borders and pyramid, the result stretched between its extremes
    """
    return fuse([frame[None] for frame in frames], contrast, saturation, exposure, variant)[0]
