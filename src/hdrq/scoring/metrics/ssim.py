"""Structural similarity."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.errors import PixelError
from hdrq.image.filters import pad
from hdrq.image.resize import factor, shrink
from hdrq.scoring.features.similarity import gaussian_taps, structure

Variant = Literal["matlab", "wang", "wang-down", "piq", "skimage"]


@metric(
    Card(
        title="Structural similarity",
        unit="1",
        better="higher",
        span=(-1, 1),
        reads="code",
        grey=True,
        best=1.0,
        side=11,
        planes=9,
        source="Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, doi:10.1109/TIP.2003.819861",
    )
)
def ssim(ref: Tensor, dist: Tensor, *, variant: Variant = "matlab", range: float = 1.0) -> Reading:
    """Mean of luminance times contrast-structure similarity; 11x11 Gaussian window with sd 1.5.

    variant  matlab     replicated border, mean over all pixels: MATLAB's ssim and the PU21 program
             wang       only where the window fits: the authors' ssim_index
             wang-down  the same after shrinking by round(side / 256): the authors' ssim.m
             piq        the same after shrinking by whole blocks: piq's default
             skimage    7x7 box, sample covariance, only where it fits: scikit-image's default
    range    dynamic range L of the code; 1.0 is a white (256 in PU21, 255 in sRGB)
    map      SSIM, smaller than the image where the variant leaves the border out or shrinks
    """
    taps = (1 / 7,) * 7 if variant == "skimage" else gaussian_taps()
    if min(ref.shape[-2:]) < len(taps):
        raise _small(variant, len(taps))
    if variant == "matlab":
        edge = len(taps) // 2
        ref, dist = (pad(x, edge, edge, edge, edge, "replicate") for x in (ref, dist))
    elif variant == "wang-down":
        f = factor(*ref.shape[-2:])
        ref, dist = shrink(ref, f, mirror=True), shrink(dist, f, mirror=True)
    elif variant == "piq":
        blocks = max(1, round(min(ref.shape[-2:]) / 256))
        ref, dist = (F.avg_pool2d(x, blocks) for x in (ref, dist))
    if min(ref.shape[-2:]) < len(taps):
        raise _small(variant, len(taps))
    parts = structure(ref, dist, taps, range, unbiased=variant == "skimage")
    similar = torch.cat([(light * contrast).mean(1, keepdim=True) for light, contrast in parts], -2)
    return Reading(similar.mean((1, 2, 3)), similar)


def _small(variant: str, window: int) -> PixelError:
    return PixelError(f"ssim,variant={variant} needs at least {window} pixels a side; use a larger image")
