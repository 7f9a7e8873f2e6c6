"""What Butteraugli sees of one image: opponent colours adapted to the light around, split into four bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import root
from hdrq.image.color import mix
from hdrq.image.filters import pad, separable
from hdrq.image.sharing import shared

ABSORBANCE = np.array(
    [
        [0.29956550340058319, 0.63373087833825936, 0.077705617820981968],
        [0.22158691104574774, 0.69391388044116142, 0.0987313588422],
        [0.02, 0.02, 0.20480129041026129],
    ]
)
DARK = (1.7557483643287353, 1.7557483643287353, 12.226454707163354)  # response without light
GAIN, OFFSET, SHIFT = 19.245013259874995, 9.9710635769299145, -23.16046239805755
LOW, MIDDLE, HIGH, GLARE = 7.15593339443, 3.22489901273, 1.56416327805, 1.2  # sd of the blurs, pixels
LOW_X, LOW_Y, LOW_B, Y_TO_B = 33.832837186260, 14.458268100570, 49.87984651440, 0.362267051518
HIDING, HIDDEN = 46.0, 0.653020556257  # of X in the high band by Y
LIMIT_HIGH, LIMIT_TOP, BEYOND = 28.4691806922, 5.19175294647, 0.724216145665
MASK_X, MASK_Y, MASK_GAIN, MASK_BIAS, MASK_SIGMA = 2.5, 0.4, 6.19424080439, 12.61050594197, 2.7


@dataclass(frozen=True)
class Bands:
    """low (N, 3, H, W) of X, Y and B; middle the same; high and top (N, 2, H, W) of X and Y; activity (N, 1, H, W)."""

    low: Tensor
    middle: Tensor
    high: Tensor
    top: Tensor
    activity: Tensor


@lru_cache(maxsize=8)
def _taps(sigma: float) -> tuple[float, ...]:
    reach = max(1, int(2.25 * sigma))
    return tuple(exp(-(i * i) / (2 * sigma * sigma)) for i in range(-reach, reach + 1))


def blur(x: Tensor, sigma: float) -> Tensor:
    """Cut Gaussian whose taps inside the frame sum to 1; the one of five taps mirrors, edge pixel repeated."""
    taps = x.new_tensor(_taps(sigma))
    if len(taps) == 5:
        return separable(x, taps / taps.sum(), border="symmetric")
    reach = len(taps) // 2
    smooth = separable(pad(x, reach, reach, reach, reach, "zero"), taps)
    return smooth / _inside(taps, x.shape[-2])[:, None] / _inside(taps, x.shape[-1])


def _inside(taps: Tensor, n: int) -> Tensor:
    """Sum of the taps that fall on 0 .. n - 1, around each of them."""
    sums = torch.cat((taps.new_zeros(1), taps.double().cumsum(0)))
    at, reach = torch.arange(n, device=taps.device), len(taps) // 2
    first, last = (reach - at).clamp(min=0), (reach + n - at).clamp(max=len(taps))
    return (sums[last] - sums[first]).to(taps)


@shared
def bands(light: Tensor) -> Bands:
    """Light, (N, 3, H, W) in cd/m², in the bands that are compared."""
    planes = _opponent(light)
    low = blur(planes, LOW)
    rest = planes - low
    middle = blur(rest, MIDDLE)
    high_x, high_y = (rest - middle)[:, :2].unbind(1)
    high_x = high_x * (HIDING / (high_y * high_y + HIDING) * (1 - HIDDEN) + HIDDEN)
    high, top = _split(torch.stack((high_x, high_y), 1))
    mid_x, mid_y, mid_b = middle.unbind(1)
    x, y, b = low.unbind(1)
    return Bands(
        torch.stack((x * LOW_X, y * LOW_Y, (b - Y_TO_B * y) * LOW_B), 1),
        torch.stack((_remove(mid_x, 0.29), _amplify(mid_y, 0.1), mid_b), 1),
        high,
        top,
        _activity(high, top),
    )


def _opponent(light: Tensor) -> Tensor:
    """X = L - M, Y = L + M and B of responses whose sensitivity follows the light nearby."""
    dark = light.new_tensor(DARK).view(-1, 1, 1)
    near = torch.maximum(mix(blur(light, GLARE), ABSORBANCE) + dark, dark)
    sensitivity = ((GAIN * (near + OFFSET).log() + SHIFT) / near).clamp(min=1e-4)
    response = torch.maximum(
        (mix(light, ABSORBANCE) + dark) * sensitivity, dark
    )  # after the sensitivity, as libjxl
    long, middle, short = response.unbind(1)
    return torch.stack((long - middle, long + middle, short), 1)


def _split(both: Tensor) -> tuple[Tensor, Tensor]:
    """The high band of X and Y and what is finer still."""
    (x, y), (smooth_x, smooth_y) = both.unbind(1), blur(both, HIGH).unbind(1)
    smooth_y = _limit(smooth_y, LIMIT_HIGH)
    top = (_remove(x - smooth_x, 0.04), _limit(y - smooth_y, LIMIT_TOP) * 2.69313763794)
    high = (_remove(smooth_x, 1.5), _amplify(smooth_y * 2.155, 0.132))
    return torch.stack(high, 1), torch.stack(top, 1)


def _activity(high: Tensor, top: Tensor) -> Tensor:
    """What hides differences, smoothed."""
    x, y = (high + top).split(1, 1)
    size = root((MASK_X * x).square() + (MASK_Y * y).square())
    bias = MASK_GAIN * MASK_BIAS
    return blur((MASK_GAIN * size + bias).sqrt() - bias**0.5, MASK_SIGMA)


def _remove(x: Tensor, width: float) -> Tensor:
    """Shrunk towards 0 by `width`."""
    return x - x.clamp(-width, width)


def _amplify(x: Tensor, width: float) -> Tensor:
    """Doubled up to `width`, and `width` more beyond."""
    return x + x.clamp(-width, width)


def _limit(x: Tensor, most: float) -> Tensor:
    """Beyond `most` the slope is 0.72."""
    return x.clamp(-most, most) * (1 - BEYOND) + x * BEYOND
