"""Statistics used by tone mapping operators: averages, extremes and quantiles, one number per image, (N, 1, 1, 1).

Black pixels are ignored: letterbox bars, the corners of a fisheye image and the holes of a merged image must not
change the exposure. Within `counting(mask)`, averages and quantiles use the pixels of the mask only.

Temporal adaptation blends the statistics of a video frame with those of previous frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.arithmetic import in_place, smallest
from hdrq.image.color import LUMINANCE, luminance_weights, weigh

# ITU-R BT.709-6 item 3.2, four digits, as in the toolboxes whose numbers these operators reproduce.
BT709_WEIGHTS = (0.2126, 0.7152, 0.0722)
# six digits, as in pfstools
XYZ_WEIGHTS = LUMINANCE
FRAME = (-3, -2, -1)
# display-linear value of an image without contrast
GREY = 0.18
# relative range below which an image is taken to have no contrast
_FLAT = 1e-5
_doubled: ContextVar[bool] = ContextVar("hdrq_panorama_doubled", default=False)
_counted: ContextVar[Tensor | None] = ContextVar("hdrq_counted_pixels", default=None)


class Adaptation:
    """The blended statistics up to the last frame, by name.

    pace  weight of the new frame, 0..1: 1 - exp(-1 / frames) for a time constant in frames
    """

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.last: dict[str, Tensor] = {}
        self.now: dict[str, Tensor] = {}

    def follow(self, name: str, value: Tensor) -> Tensor:
        """The value blended with the previous value of the same name.

        raises  ValueError if one frame has two statistics of the same name
        """
        if name in self.now:
            raise ValueError(f"an operator has two statistics called '{name}'; name one of them")
        before = self.last.get(name)
        if before is not None and before.shape == value.shape:
            value = torch.lerp(before, value, self.pace)
        self.now[name] = value.detach()
        return value

    @contextmanager
    def frame(self, afresh: bool = False) -> Iterator[None]:
        """Within this block, the statistics of one frame are blended. afresh  forget earlier frames, as after a scene cut."""
        self.last, self.now = ({} if afresh else self.now), {}
        token = _adapting.set(self)
        try:
            yield
        finally:
            _adapting.reset(token)


_adapting: ContextVar[Adaptation | None] = ContextVar("hdrq_adaptation", default=None)


def follow(name: str, value: Tensor) -> Tensor:
    """A named statistic, blended over time within `Adaptation.frame()` and unchanged outside it."""
    adapting = _adapting.get()
    return value if adapting is None else adapting.follow(name, value)


def temporally_blended(statistic: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A statistic blended over time within `Adaptation.frame()`.

    It is identified by its function and arguments ("ranked 0.01"), or by `name` where an operator uses one twice.
    """

    @wraps(statistic)
    def blended(x: Tensor, *args: Any, name: str = "") -> Tensor:
        return follow(name or " ".join(map(str, (statistic.__name__, *args))), statistic(x, *args))

    return blended


def luminance(light: Tensor, weights: tuple[float, ...] = BT709_WEIGHTS) -> Tensor:
    """Luminance Y of linear light, in the unit of the input, (N, 1, H, W).

    weights  those of BT.709 in the digits of a source, for which another working space has its own; others apply as they are
    """
    known = weights in (BT709_WEIGHTS, XYZ_WEIGHTS)
    return weigh(light, luminance_weights(weights) if known else weights)


@contextmanager
def counting(mask: Tensor) -> Iterator[None]:
    """Within this block, statistics of an image (1, C, H, W) use only pixels where the mask (1, 1, H, W) is true."""
    token = _counted.set(mask)
    try:
        yield
    finally:
        _counted.reset(token)


@contextmanager
def doubled() -> Iterator[None]:
    """Within this block, images are panoramas repeated twice side by side, so that filters see no border between the ends."""
    token = _doubled.set(True)
    try:
        yield
    finally:
        _doubled.reset(token)


def longer_side(x: Tensor) -> float:
    """Length of the longer side of an image in pixels; for a repeated panorama, of one copy."""
    h, w = x.shape[-2:]
    return max(h, w / 2 if _doubled.get() else w)


def counted(x: Tensor) -> Tensor:
    """The values of an image (C, H, W) that statistics use, (C, n)."""
    mask = _counted.get()
    if mask is None or mask.shape[-2:] != x.shape[-2:]:
        return x.flatten(1)
    return x[:, mask[0, 0]]


def _lines(x: Tensor) -> Tensor:
    """(N, n): the values of each image that statistics use."""
    mask = _counted.get()
    if mask is None or x.shape[0] != 1 or mask.shape[-2:] != x.shape[-2:]:
        return x.flatten(1)
    return counted(x[0]).flatten()[None]


def _number(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


@temporally_blended
def brightest(x: Tensor) -> Tensor:
    """The largest value of each image, (N, 1, 1, 1)."""
    return x.amax(FRAME, keepdim=True)


@temporally_blended
def darkest(x: Tensor) -> Tensor:
    """The smallest value of each image, (N, 1, 1, 1)."""
    return x.amin(FRAME, keepdim=True)


@temporally_blended
def darkest_positive(x: Tensor) -> Tensor:
    """The smallest value above 0; 1 for a black image."""
    least = torch.where(x > 0, x, torch.inf).amin(FRAME, keepdim=True)
    return torch.where(torch.isinf(least), 1.0, least)


@temporally_blended
def mean(x: Tensor) -> Tensor:
    """The mean of each image, (N, 1, 1, 1)."""
    return _number(_lines(x).mean(1))


@temporally_blended
def log_mean(x: Tensor, delta: float = 1e-6) -> Tensor:
    """Geometric mean: exp(mean(ln(x + delta)))."""
    return _number((_lines(x) + delta).log().mean(1).exp())


@temporally_blended
def ranked(x: Tensor, share: float) -> Tensor:
    """The round(n·share)-th smallest value of each image, counted from 1: a quantile without interpolation."""
    flat = _lines(x)
    n = flat.shape[1]
    k = min(max(int(n * share + 0.5), 1), n)
    return _number(smallest(flat, k))


@temporally_blended
def quantile(x: Tensor, share: float) -> Tensor:
    """Linearly interpolated quantile of each image, as numpy's default."""
    flat = _lines(x)
    at = share * (flat.shape[1] - 1)
    low = min(int(at), flat.shape[1] - 1)
    a, b = smallest(flat, low + 1), smallest(flat, min(low + 2, flat.shape[1]))
    return _number(a + (b - a) * (at - low))


@temporally_blended
def ordered(x: Tensor, share: float) -> Tensor:
    """The sorted value of each image at index floor(n·share), counted from 0."""
    flat = _lines(x)
    n = flat.shape[1]
    return _number(smallest(flat, min(int(n * share), n - 1) + 1))


def cut(x: Tensor, share: float) -> Tensor:
    """x (N, 1, H, W) clipped to its quantiles `share` and 1 - share."""
    flat = _lines(x)
    k = 1 + int(share * flat.shape[1])
    low, high = (smallest(flat, i) for i in (k, flat.shape[1] + 1 - k))
    return x.clamp(_number(low), _number(high))


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 where b is 0. A finite number divided by infinity is 0, with zero gradients."""
    # of most images no divisor is 0, which takes a tenth of the time to find out
    if in_place(b) and b.numel() and float(b.amin()) > 0:
        return a / b
    return a / torch.where(b != 0, b, torch.inf)


def relight(light: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """`light` with its luminance changed from `old` to `new` and its chromaticity kept; black stays black."""
    return light * ratio(new, old)


def without_contrast(x: Tensor) -> Tensor:
    """Whether each image has no contrast, (N, 1, 1, 1): its relative range is below 1e-5."""
    high = x.amax(FRAME, keepdim=True)
    result: Tensor = high - x.amin(FRAME, keepdim=True) <= _FLAT * high.abs().clamp(min=1e-30)
    return result


def stretched(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """x scaled linearly so that low is 0 and high is 1. An image without contrast (low = high) becomes 0.18."""
    span = high - low
    flat = span <= _FLAT * high.abs().clamp(min=1e-30)
    if in_place(x) and not bool(flat.any()):
        return (x - low) / span
    return torch.where(flat, GREY, (x - low) / torch.where(flat, torch.ones_like(span), span))


def parameter(value: float | Tensor) -> Tensor:
    """A parameter as a zero-dimensional float64 tensor: its gradient is kept, and the dtype of images does not change."""
    return value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)


def filled(light: Tensor, mask: Tensor) -> Tensor:
    """One image (1, C, H, W) whose pixels outside the mask (1, 1, H, W) are filled from their surroundings.

    The fill comes from means of the masked pixels over blocks of 2x2, 4x4 ..., interpolated bilinearly, so that filters and
    solvers meet no edge at the border of the mask.
    """
    sums, weights = [light * mask], [mask.to(light.dtype)]
    while not bool((weights[-1] > 0).all()):
        sums.append(F.avg_pool2d(sums[-1], 2, ceil_mode=True))
        weights.append(F.avg_pool2d(weights[-1], 2, ceil_mode=True))
    found = sums[-1] / weights[-1]
    for total, weight in zip(reversed(sums[:-1]), reversed(weights[:-1])):
        wide = F.interpolate(found, size=total.shape[-2:], mode="bilinear", align_corners=False)
        some = weight > 0
        found = torch.where(some, total / torch.where(some, weight, 1.0), wide)
    return found
