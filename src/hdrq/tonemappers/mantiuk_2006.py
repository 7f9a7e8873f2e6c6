"""Mantiuk 2006: contrast of all scales, scaled in just noticeable differences."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.ops.contrast_pyramid import Field, contrasts, picture
from hdrq.ops.loose_pyramid import rescaled
from hdrq.ops.operator import OperatorCard, operator
from hdrq.ops.scene import XYZ_WEIGHTS, brightest, darkest, luminance, ordered, ratio

_POWER = 0.4185  # of the response to W = 10^|G| - 1; the paper's factor 54.09288 cancels out
_LEAST = 0.001
_GREY = (0.299, 0.587, 0.114)  # OpenCV's grey
_DECADES = 2.3  # of the result, between ranks 0.1 and 99.9 %


@operator(
    OperatorCard(
        title="Perceptual framework for contrast processing",
        source="Mantiuk, Myszkowski & Seidel 2006, doi:10.1145/1166087.1166095; variant as OpenCV 5.0",
        tunes={"factor": (0.02, 1), "saturation": (0.3, 1.2)},
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
    variant: Literal["paper", "opencv"] = "paper",
) -> Tensor:
    """Responses to the contrasts of log10 L at every scale times `factor`, and the picture that has them.

    equalise  contrasts get the rank they have in the scene, times factor, in place of their own size
    response  jnd: thresholds accumulated, each 0.01 + 0.117 W above the last; power: the paper's fit W^0.4185
    gamma     opencv only
    variant   opencv: contrasts to the power 0.4185, a rough solution, min-max before and after
    """
    if variant == "opencv":
        return _opencv(light, factor, saturation, gamma)
    y = luminance(light, XYZ_WEIGHTS).clamp(min=1e-9)
    wanted = [_rescale(g, factor, equalise, response) for g in contrasts(y.log10())]
    if equalise:
        wanted = _equalised(contrasts(y.log10()), factor, response)
    weights = [(_trust(a), _trust(b)) for a, b in wanted]
    x = picture(wanted, weights)
    low, high = ordered(x, 0.001), ordered(x, 0.999)
    new = 10 ** (_DECADES * ratio(x - high, high - low))
    return ratio(light, y).clamp(min=1e-9) ** saturation * new * (light.amax(1, keepdim=True) > 0)


def _opencv(light: Tensor, factor: float, saturation: float, gamma: float) -> Tensor:
    c = ratio(light - darkest(light), brightest(light) - darkest(light))
    y = luminance(c, _GREY)
    new = rescaled(y.clamp(min=1e-4).log(), factor).exp()
    mapped = ratio(c, y).clamp(min=1e-12) ** saturation * new
    # Its darkest channel value is a rounding error below 0, and a fractional power of that drops out of its minimum.
    lowest = darkest(torch.where(c > 0, mapped, torch.inf) if saturation != 1 else mapped)
    return ratio(mapped - lowest, brightest(mapped) - lowest).clamp(min=1e-12) ** (1 / gamma)


def _trust(g: Tensor) -> Tensor:
    """One over the threshold of a contrast."""
    return 1 / (0.038737 * g.abs().clamp(min=_LEAST) ** 0.537756)


def _respond(g: Tensor, response: str) -> Tensor:
    w = 10 ** g.abs() - 1
    return (w + 1e-12) ** _POWER if response == "power" else _along(w, *_thresholds())


def _contrast(r: Tensor, response: str) -> Tensor:
    w = r ** (1 / _POWER) if response == "power" else _along(r, *reversed(_thresholds()))
    return w.log1p() / 2.302585092994046


def _rescale(field: Field, factor: float, equalise: bool, response: str) -> Field:
    if equalise:
        return field
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


@lru_cache(maxsize=1)
def _thresholds() -> tuple[np.ndarray, np.ndarray]:
    """(W, R): 107 contrasts, each a threshold above the one before, and their places in 0..1."""
    growth = 1.1168975  # the last of them is 10 510
    w = np.concatenate([[0.0], 0.01 * (growth ** np.arange(1, 107) - 1) / (growth - 1)])
    return w, np.linspace(0, 1, 107)


def _along(x: Tensor, xs: np.ndarray, ys: np.ndarray) -> Tensor:
    """Straight lines between the points, constant beyond the last."""
    a = torch.as_tensor(xs, dtype=x.dtype, device=x.device)
    b = torch.as_tensor(ys, dtype=x.dtype, device=x.device)
    i = torch.searchsorted(a, x.detach().contiguous()).clamp(1, len(xs) - 1)
    share = ((x - a[i - 1]) / (a[i] - a[i - 1])).clamp(max=1)
    return b[i - 1] + share * (b[i] - b[i - 1])
