"""What a tone mapper asks of a scene: its luminance, its average, its extremes. One number per image, (N, 1, 1, 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.color import LUMINANCE, weigh
from hdrq.image.temporal import remembered

# ITU-R BT.709-6 item 3.2, four digits: the weights of the toolboxes whose numbers these operators are held to.
BT709_WEIGHTS = (0.2126, 0.7152, 0.0722)
XYZ_WEIGHTS = LUMINANCE  # six digits, as pfstools has them

FRAME = (-3, -2, -1)


def luminance(light: Tensor, weights: tuple[float, ...] = BT709_WEIGHTS) -> Tensor:
    """Y of linear BT.709 light, same unit, (N, 1, H, W)."""
    return weigh(light, weights)


@remembered
def brightest(x: Tensor) -> Tensor:
    return x.amax(FRAME, keepdim=True)


@remembered
def darkest(x: Tensor) -> Tensor:
    return x.amin(FRAME, keepdim=True)


@remembered
def darkest_positive(x: Tensor) -> Tensor:
    """The smallest value above 0; 1 for a black frame."""
    least = torch.where(x > 0, x, torch.inf).amin(FRAME, keepdim=True)
    return torch.where(torch.isinf(least), 1.0, least)


@remembered
def mean(x: Tensor) -> Tensor:
    return x.mean(FRAME, keepdim=True)


@remembered
def log_mean(x: Tensor, delta: float = 1e-6) -> Tensor:
    """exp(mean(ln(x + delta))), the geometric mean that survives black pixels."""
    return (x + delta).log().mean(FRAME, keepdim=True).exp()


@remembered
def ranked(x: Tensor, share: float) -> Tensor:
    """The round(n·share)-th smallest of each frame, counted from 1: a quantile that is a value of the frame."""
    flat = x.flatten(1)
    n = flat.shape[1]
    k = min(max(int(n * share + 0.5), 1), n)
    return flat.kthvalue(k, 1).values.view(-1, 1, 1, 1)


@remembered
def quantile(x: Tensor, share: float) -> Tensor:
    """Linearly interpolated quantile of each frame (numpy's default)."""
    flat = x.flatten(1)
    at = share * (flat.shape[1] - 1)
    low = min(int(at), flat.shape[1] - 1)
    a = flat.kthvalue(low + 1, 1).values
    b = flat.kthvalue(min(low + 2, flat.shape[1]), 1).values
    return (a + (b - a) * (at - low)).view(-1, 1, 1, 1)


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0. A finite number over infinity is 0, and so are its gradients."""
    return a / torch.where(b != 0, b, torch.inf)


def relight(light: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """The colours of `light` with luminance `new` in place of `old`; black stays black."""
    return light * ratio(new, old)


@remembered
def ordered(x: Tensor, share: float) -> Tensor:
    """The value at position floor(n·share), counted from 0, of each frame in order."""
    flat = x.flatten(1)
    n = flat.shape[1]
    return flat.kthvalue(min(int(n * share), n - 1) + 1, 1).values.view(-1, 1, 1, 1)
