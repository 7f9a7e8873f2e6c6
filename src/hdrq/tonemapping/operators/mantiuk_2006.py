"""Mantiuk 2006: contrast of all scales, scaled in just noticeable differences."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.statistics import XYZ_WEIGHTS, brightest, darkest, luminance, ordered, ratio
from hdrq.tonemapping.operator import OperatorCard, operator
from hdrq.tonemapping.solvers import contrast_pyramid_pfstools as restarted_pyramid
from hdrq.tonemapping.solvers.contrast_pyramid import Field, contrasts, reconstruct
from hdrq.tonemapping.solvers.contrast_pyramid_opencv import rescaled

# of the response to W = 10^|G| - 1; the paper's factor 54.09288 cancels out
_POWER = 0.4185
_LEAST = 0.001
# OpenCV's grey
_GREY = (0.299, 0.587, 0.114)
# times that range above the rank 99.9 %, before float32 overflows
_BEYOND = 10
# of the result, between ranks 0.1 and 99.9 %
_DECADES = 2.3

# W = 10^|G| - 1 at 0, 1, 2 ... just noticeable differences. Fitted to two images of pfstools 2.2, whose gradients show
# the response at every contrast up to 40; further out the steps grow evenly to the last, 10 510.
# fmt: off
_EVERY_THRESHOLD = (
    0, 0.01, 0.0212, 0.031814, 0.04265, 0.053861, 0.0656, 0.077996, 0.091164, 0.10522, 0.12028, 0.13648,
    0.15392, 0.17272, 0.193, 0.21492, 0.23864, 0.26437, 0.29233, 0.32274, 0.35582, 0.3918, 0.43095, 0.47355,
    0.51998, 0.57066, 0.62609, 0.6868, 0.7534, 0.82657, 0.907, 0.99545, 1.0927, 1.1997, 1.3174, 1.4473,
    1.5906, 1.7489, 1.9237, 2.1167, 2.3296, 2.5647, 2.8245, 3.1121, 3.4314, 3.7869, 4.1834, 4.6259, 5.1194,
    5.6693, 6.2812, 6.9619, 7.7193, 8.5631, 9.5048, 10.558, 11.738, 13.062, 14.552, 16.231, 18.128, 20.276,
    22.713, 25.486, 28.644, 32.249, 36.37, 41.088, 46.496, 52.704, 59.837, 68.042, 77.489, 88.375, 100.93,
    115.42, 132.16, 151.5, 173.87, 199.75, 229.7, 264.39, 304.58, 351.16, 405.16, 467.79, 540.45, 624.76,
    722.61, 836.22, 968.15, 1121.4, 1299.4, 1506.2, 1746.4, 2025.7, 2350.3, 2727.6, 3166.3, 3676.4, 4269.5,
    4959.2, 5761.3, 6694.2, 7779.4, 9041.6, 10510,
)
# fmt: on


@operator(
    OperatorCard(
        title="Perceptual framework for contrast processing",
        source="Mantiuk, Myszkowski & Seidel 2006, doi:10.1145/1166087.1166095; variants as OpenCV 5.0, pfstools 2.2",
        tunes={"factor": (0.02, 1), "saturation": (0.3, 1.2)},
        colour=("saturation",),
        limits={"factor": (1e-3, 3)},
        needs={
            "gamma": ("variant", ("opencv",)),
            "equalise": ("variant", ("paper", "pfstools")),
            "response": ("variant", ("paper", "pfstools")),
        },
    )
)
def mantiuk_2006(
    light: Tensor,
    *,
    factor: float = 0.3,
    saturation: float = 0.8,
    equalise: bool = False,
    response: Literal["jnd", "power"] = "jnd",
    gamma: float = 1.0,
    variant: Literal["paper", "pfstools", "opencv"] = "paper",
) -> Tensor:
    """Responses to the contrasts of log10 L at every scale times `factor`, and the image that has them.

    equalise  contrasts get the rank they have in the scene, times factor, in place of their own size
    response  jnd: 106 thresholds accumulated, up to W = 10 510; power: the paper's fit W^0.4185
    gamma     opencv only
    variant   pfstools: its rough solution, with factor=0.1 as in the program; opencv: contrasts to the power
              0.4185, another rough solution, min-max before and after
    """
    if variant == "opencv":
        return _opencv(light, factor, saturation, gamma)
    y = luminance(light, XYZ_WEIGHTS).clamp(min=1e-9)
    start = y.log10()
    there = restarted_pyramid.contrasts(start) if variant == "pfstools" else contrasts(start)
    wanted = (
        _equalised(there, factor, response) if equalise else [_rescale(g, factor, response) for g in there]
    )
    weights = [(_inverse_threshold(a), _inverse_threshold(b)) for a, b in wanted]
    if variant == "pfstools":
        x = restarted_pyramid.reconstruct(start, wanted, weights)
        low, high = _swapped(x, 0.001), _swapped(x, 0.999)
    else:
        x = reconstruct(wanted, weights)
        low, high = ordered(x, 0.001), ordered(x, 0.999)
    new = 10 ** (_DECADES * ratio(x - high, high - low).clamp(max=_BEYOND))
    return ratio(light, y).clamp(min=1e-9) ** saturation * new * (light.amax(1, keepdim=True) > 0)


def _opencv(light: Tensor, factor: float, saturation: float, gamma: float) -> Tensor:
    low = darkest(light)
    c = ratio(light - low, brightest(light) - low)
    y = luminance(c, _GREY)
    new = rescaled(y.clamp(min=1e-4).log(), factor).exp()
    mapped = ratio(c, y).clamp(min=1e-12) ** saturation * new
    # Its darkest channel value is a rounding error below 0, and a fractional power of that drops out of its minimum.
    lowest = darkest(
        torch.where(c > 0, mapped, torch.inf) if saturation != 1 else mapped, name="darkest result"
    )
    # a flat frame
    lowest = lowest.nan_to_num(posinf=0)
    return ratio(mapped - lowest, brightest(mapped, name="brightest result") - lowest).clamp(min=1e-12) ** (
        1 / gamma
    )


def _swapped(x: Tensor, share: float) -> Tensor:
    """The value at rank (n - 1) share, interpolated with the weights of the two neighbours exchanged, as pfstools does."""
    flat = x.flatten(1)
    at = (flat.shape[1] - 1) * share
    below, above = int(at), min(int(at) + 1, flat.shape[1] - 1)
    values = flat.sort(1).values
    return ((at - below) * values[:, below] + (1 - at + below) * values[:, above]).view(-1, 1, 1, 1)


def _inverse_threshold(g: Tensor) -> Tensor:
    """One over the threshold of a contrast."""
    return 1 / (0.038737 * g.abs().clamp(min=_LEAST) ** 0.537756)


def _respond(g: Tensor, response: str) -> Tensor:
    w = 10 ** g.abs() - 1
    return (w + 1e-12) ** _POWER if response == "power" else _along(w, *_thresholds())


def _contrast(r: Tensor, response: str) -> Tensor:
    w = r ** (1 / _POWER) if response == "power" else _along(r, *reversed(_thresholds()))
    return w.log1p() / 2.302585092994046


def _rescale(field: Field, factor: float, response: str) -> Field:
    across, down = (g.sign() * _contrast(factor * _respond(g, response), response) for g in field)
    return across, down


def _equalised(fields: list[Field], factor: float, response: str) -> list[Field]:
    """Both directions share one rank: that of the length of the response."""
    sizes = [(_respond(a, response) ** 2 + _respond(b, response) ** 2 + 1e-24).sqrt() for a, b in fields]
    result = []
    for frame in range(sizes[0].shape[0]):
        every = torch.cat([s[frame].flatten() for s in sizes]).sort().values
        gains = [factor * _rank(s[frame : frame + 1], every) / s[frame : frame + 1] for s in sizes]
        result.append(
            [
                tuple(
                    p.sign() * _contrast(k * _respond(p, response), response)
                    for p in (a[frame][None], b[frame][None])
                )
                for k, (a, b) in zip(gains, fields)
            ]
        )
    return [
        (torch.cat([f[k][0] for f in result]), torch.cat([f[k][1] for f in result]))
        for k in range(len(fields))
    ]


def _rank(x: Tensor, ordered_values: Tensor) -> Tensor:
    return torch.searchsorted(ordered_values, x.detach()).to(x.dtype) / ordered_values.numel()


@cached(1)
def _thresholds() -> tuple[np.ndarray, np.ndarray]:
    """(W, R): contrasts, each a threshold above the one before, and their places in 0..1."""
    return np.array(_EVERY_THRESHOLD), np.linspace(0, 1, len(_EVERY_THRESHOLD))


def _along(x: Tensor, xs: np.ndarray, ys: np.ndarray) -> Tensor:
    """Straight lines between the points, constant beyond the last."""
    a = torch.as_tensor(xs, dtype=x.dtype, device=x.device)
    b = torch.as_tensor(ys, dtype=x.dtype, device=x.device)
    i = torch.searchsorted(a, x.detach().contiguous()).clamp(1, len(xs) - 1)
    share = ((x - a[i - 1]) / (a[i] - a[i - 1])).clamp(max=1)
    return b[i - 1] + share * (b[i] - b[i - 1])
