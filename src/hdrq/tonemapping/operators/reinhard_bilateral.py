"""Reinhard 2002 with a bilateral filter instead of scale selection."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hdrq.image.blur import blur
from hdrq.image.edge_preserving import bilateral, bilateral_grid
from hdrq.image.statistics import relight
from hdrq.tonemapping.exposure import compress, expose
from hdrq.tonemapping.operator import OperatorCard, operator


@operator(
    OperatorCard(
        title="Photographic tone reproduction, bilateral",
        source="Reinhard et al. 2002, doi:10.1145/566654.566575, with the sigmoid-domain bilateral filter of "
        "Banterle et al., Advanced High Dynamic Range Imaging, 2nd ed. 2017",
        tunes={"key": (0.01, 2), "white": (0.5, 1000), "phi": (1, 15)},
        limits={"phi": (-5, 30), "sigma_space": (0.3, 16), "sigma_range": (1e-4, 10)},
        needs={
            "phi": ("filter", ("exact", "grid")),
            "sigma_range": ("filter", ("exact", "grid")),
        },
    )
)
def reinhard_bilateral(
    light: Tensor,
    *,
    key: float | None = 0.18,
    white: float | None = None,
    phi: float = 8.0,
    sigma_space: float = 1.6,
    sigma_range: float = 0.025,
    filter: Literal["exact", "grid", "blur"] = "exact",
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """L (1 + L / white²) / (1 + V), V from a bilateral filter of L / (L + c), c = 2^phi key / 64.

    filter   exact: every pixel of the window; grid: cells of one sigma, as HDR Toolbox; blur: V is a Gaussian mean of
             L, which keeps no edge
    variant  hdrtoolbox estimates `white` where it is auto
    """
    exposed = expose(light, key, white, variant)
    if filter == "blur":
        return relight(
            light,
            exposed.luminance,
            compress(exposed.scaled, blur(exposed.scaled, sigma_space), exposed.white),
        )
    c = 2**phi * exposed.key / 64
    squeezed = exposed.scaled / (exposed.scaled + c)
    if filter == "grid":
        even = bilateral_grid(squeezed, sigma_space, sigma_range, origin=0.0)
    else:
        even = bilateral(squeezed, sigma_space, sigma_range)
    even = even.clamp(max=1 - 1e-6)
    return relight(light, exposed.luminance, compress(exposed.scaled, c * even / (1 - even), exposed.white))
