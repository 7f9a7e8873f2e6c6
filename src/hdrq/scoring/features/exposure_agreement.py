"""What the exposures of a stack say of the light of an image that was merged from them, whatever the camera and its times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import isotonic_regression
from torch import Tensor

LEVELS = 256  # of the exposures' code
LOW, HIGH = 0.04, 0.96  # code that an exposure resolves; what lies outside is too dark or clipped


class Exposed(NamedTuple):
    """Natural logarithms of the light that one exposure holds, all (1, 1, H, W).

    light     by the exposure's response; anything where the exposure resolves nothing
    unsure    half a step of the code
    resolved  whether the code lies within LOW..HIGH
    """

    light: Tensor
    unsure: Tensor
    resolved: Tensor


def exposed(code: Tensor, log_light: Tensor) -> Exposed | None:
    """One exposure (1, 1, H, W), code 0..1, read with the response that makes it agree with most of the merged image.

    The response is the median of the merged light at each code, made monotone. Objects that moved are outliers to it, as
    long as they cover less than half of the pixels of a code. None where the exposure resolves no pixel.
    """
    place = code.clamp(0, 1) * (LEVELS - 1)
    resolved = (code >= LOW) & (code <= HIGH)
    if not bool(resolved.any()):
        return None
    curve = _response(place[resolved].round().long(), log_light[resolved])
    node = place.floor().clamp(0, LEVELS - 2)
    low = curve[node.long()]
    step = curve[node.long() + 1] - low
    return Exposed(low + step * (place - node), _half_steps(curve)[place.round().long()], resolved)


def _response(codes: Tensor, logs: Tensor) -> Tensor:
    """(LEVELS,) log light of every code; codes without pixels lie on lines between their neighbours."""
    order = torch.argsort(codes, stable=True)
    parts = logs[order].split(torch.bincount(codes, minlength=LEVELS).tolist())
    used = [k for k, part in enumerate(parts) if part.numel()]
    medians = np.array([float(_median(parts[k])) for k in used])
    fit = isotonic_regression(medians, weights=np.array([float(parts[k].numel()) for k in used])).x
    return torch.from_numpy(np.interp(np.arange(LEVELS), used, fit)).to(logs)


def _median(x: Tensor) -> Tensor:
    """The mean of the two middle values where there are two."""
    n = x.numel()
    return (x.kthvalue((n + 1) // 2).values + x.kthvalue(n // 2 + 1).values) / 2


def _half_steps(curve: Tensor) -> Tensor:
    """Half the change of log light from one code to the next, the larger of both sides."""
    steps = curve.diff()
    both = torch.stack((torch.cat((steps[:1], steps)), torch.cat((steps, steps[-1:]))))
    return both.amax(0) / 2


def beyond(difference: Tensor, tolerance: Tensor) -> Tensor:
    """A difference without what lies within its tolerance."""
    return difference.sign() * (difference.abs() - tolerance).clamp(min=0)
