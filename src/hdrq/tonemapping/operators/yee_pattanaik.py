"""Yee & Pattanaik 2003: a global operator with adaptation to the segments of every pixel.

Segments are connected pixels of similar luminance; adaptation is that of an eye that looks at one. Source: Yee & Pattanaik 2003,
doi:10.1007/s00371-003-0211-5, as described in the docstrings.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.image.segments import groups_of
from hdrq.image.statistics import luminance, parameter, relight
from hdrq.tonemapping.adaptation import equal_brightness, scotopic, threshold_matched, visible_scale
from hdrq.tonemapping.operator import OperatorCard, operator

# log10 units of a category in the first layer and in the last
_FINE, _COARSE = 0.5, 2.0


@operator(
    OperatorCard(
        title="Segmentation and adaptive assimilation for detail-preserving display",
        source="Yee & Pattanaik 2003, doi:10.1007/s00371-003-0211-5, with the curves of Ward 1994, "
        "Tumblin & Rushmeier 1993 and Ferwerda et al. 1996",
        reads="nits",
        temporal=False,
        tunes={"display_nits": (1, 100)},
        limits={"layers": (1, 64), "smallest": (0, 0.2), "display_nits": (0.1, 1e4)},
        display=("peak_nits",),
        needs={
            "display_nits": ("curve", ("tumblin", "ferwerda")),
            "variant": ("curve", ("tumblin", "ferwerda")),
        },
    )
)
def yee_pattanaik(
    light: Tensor,
    *,
    curve: Literal["ward", "tumblin", "ferwerda"] = "tumblin",
    peak_nits: float = 100.0,
    display_nits: float | None = None,
    layers: int = 32,
    smallest: float = 0.001,
    variant: Literal["paper", "hdrtoolbox"] = "paper",
) -> Tensor:
    """What a global operator shows of a pixel when the eye is adapted to the pixel's segments.

    curve         ward: the scale factor of visible steps; tumblin: equal brightness; ferwerda: thresholds of cones and rods
    display_nits  what the viewer is adapted to; auto is a fifth of the peak for tumblin, half of it for ferwerda
    layers        of segmentation, with categories from 0.5 to 2 log10 units wide
    smallest      share of the pixels below which a group joins its nearest neighbour
    variant       hdrtoolbox: its logarithm in tumblin, and cones' luminance for rods in ferwerda; its segments differ (0.1
                  log10 units, root mean square)
    """
    y = luminance(light)
    return shown_adapted(light, y, adaptation(y, layers, smallest), curve, peak_nits, display_nits, variant)


def shown_adapted(
    light: Tensor,
    y: Tensor,
    adapted: Tensor,
    curve: str,
    peak_nits: float,
    display_nits: float | None,
    variant: str,
) -> Tensor:
    """Share of the display's peak of light under adaptation to `adapted`, (N, 1, H, W) cd/m²."""
    if curve == "ward":
        result: Tensor = visible_scale(adapted, peak_nits) * light / peak_nits
        return result
    toolbox = variant == "hdrtoolbox"
    share = 0.2 if curve == "tumblin" else 0.5
    viewer = parameter(share * peak_nits if display_nits is None else display_nits).to(y)
    if curve == "tumblin":
        return relight(light, y, equal_brightness(y, adapted, viewer, 100.0, toolbox) / peak_nits)
    dim = y if toolbox or light.shape[1] == 1 else scotopic(light)
    return threshold_matched(light, dim, adapted, viewer.expand_as(adapted), peak_nits)


def adaptation(luminance: Tensor, layers: int = 32, smallest: float = 0.001) -> Tensor:
    """Adaptation luminance (N, 1, H, W) of luminance (N, 1, H, W) > 0, in its unit.

    Every layer divides log10 luminance into categories, 0.5 log units wide in the first layer and 2 in the last. Connected
    pixels of one category are a group; groups below `smallest` of the pixels are merged with the nearest larger one. A pixel's
    adaptation is the mean over the layers of the mean logarithms of its groups.
    """
    return torch.cat([_of_one(frame[None], layers, smallest) for frame in luminance])


def _of_one(luminance: Tensor, layers: int, smallest: float) -> Tensor:
    logs = luminance.clamp(min=1e-9).log10()
    seen = logs.detach()[0, 0].double().cpu().numpy()
    means: Tensor = _Means.apply(logs, seen - seen.min(), layers, smallest)
    result: Tensor = 10**means
    return result


class _Means(torch.autograd.Function):
    """Of the means over groups in every layer, the mean. This map is symmetric: the gradient is the same of the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, range_of_logs: np.ndarray, layers: int, smallest: float) -> Tensor:
        ctx.division = range_of_logs, layers, smallest
        image = x.detach().reshape(range_of_logs.shape).double().cpu().numpy()
        total = np.zeros_like(image)
        for k in range(layers):
            width = _FINE + (_COARSE - _FINE) * k / max(layers - 1, 1)
            total += groups_of(categories(range_of_logs, width), smallest).means(image)
        total /= layers
        return torch.from_numpy(total).to(x).view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _Means.apply(grads[0], *ctx.division), None, None, None


def categories(range_of_logs: np.ndarray, width: float) -> np.ndarray:
    """(H, W) int32: which category of that width a logarithm is in, counted from the least."""
    place = range_of_logs / width
    place += 1e-9
    return np.floor(place, out=place).astype(np.int32)
