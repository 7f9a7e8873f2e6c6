"""Rempel 2007: clipped areas are brightened by a smooth mask that stops at edges."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.blur import blur
from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import luminance
from hdrq.tonemapping.expansion import IMAGE_CLIP, VIDEO_CLIP, Transfer, clipped, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Ldr2Hdr",
        source="Rempel, Trentacoste, Seetzen, Young, Heidrich, Whitehead & Ward 2007, doi:10.1145/1276377.1276426",
        reads="code",
        gives="nits",
        limits={"gain": (1, 100), "sigma": (0.3, 1000)},
    )
)
def rempel(
    code: Tensor,
    *,
    peak_nits: float = 5000.0,
    black_nits: float = 0.3,
    gain: float = 4.0,
    sigma: float | None = None,
    video: bool = False,
    transfer: Transfer = "srgb",
) -> Tensor:
    """(black + (peak / gain - black) C) · (1 + (gain - 1) b), b the blurred mask of clipped pixels, held at edges.

    gain   of the brightest areas over the linear image
    sigma  of the blur, pixels; auto is 30 on 1080 lines
    video  clip at 230 instead of 254, for compressed video
    """
    light = linearise(code, transfer)
    threshold = VIDEO_CLIP if video else IMAGE_CLIP
    mask = clipped(code, threshold)
    width = max(0.6, sigma if sigma is not None else 30 * min(code.shape[-2:]) / 1080)
    glow = blur(mask, width)
    glow = glow / glow.amax((-3, -2, -1), keepdim=True).clamp(min=1e-6)
    y = luminance(light)
    held = bilateral_grid(mask, 2 * width, 0.1, guide=y) if float(mask.max()) > 0 else mask
    brightness = torch.maximum(mask, glow * held.clamp(0, 1))
    base = black_nits + (peak_nits / gain - black_nits) * light
    return base * (1 + (gain - 1) * brightness)
