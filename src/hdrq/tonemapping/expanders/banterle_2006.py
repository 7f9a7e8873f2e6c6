"""Banterle 2006: inverse photographic curve, weighted by an expand map of the light sources."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.blur import blur
from hdrq.image.edge_preserving import bilateral_grid
from hdrq.image.statistics import brightest, luminance, ranked, ratio, relight
from hdrq.tonemapping.expansion import Transfer, blend, linearise
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Inverse tone mapping",
        source="Banterle, Ledda, Debattista & Chalmers 2006, doi:10.1145/1174429.1174489; the density of lights is "
        "that of the pixels above a rank in place of the samples of a median cut",
        reads="code",
        gives="nits",
        limits={"white": (0.1, 100), "lights": (0, 1), "spread": (1e-3, 1)},
    )
)
def banterle_2006(
    code: Tensor,
    *,
    peak_nits: float = 3000.0,
    white: float = 2.0,
    lights: float = 0.98,
    spread: float = 0.04,
    transfer: Transfer = "srgb",
) -> Tensor:
    """Half peak · white (L - 1 + sqrt((1 - L)² + 4 L / white²)), mixed with the linear image by an expand map.

    white   of the inverted photographic curve; determines how steep highlights become
    lights  quantile above which pixels are taken as light sources
    spread  of the density estimate, relative to the longer side
    """
    light = linearise(code, transfer)
    y = luminance(light)
    bright = (y >= ranked(y, lights)).to(y.dtype) * y
    sigma = max(0.6, spread * max(y.shape[-2:]))
    density = blur(bright, sigma)
    share = ratio(density, brightest(density))
    share = bilateral_grid(share, max(1.0, sigma), 0.1, guide=y).clamp(0, 1)
    curve = white * (y - 1 + ((1 - y) ** 2 + 4 * y / white**2).clamp(min=1e-12).sqrt()) / 2
    top = brightest(curve).clamp(min=1e-6)
    return relight(light, y, peak_nits * blend(y / white**2, curve / top, share))
