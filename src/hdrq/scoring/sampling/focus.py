"""Maps of where to look: the density a plan can follow.

The mixture is that of VTAMIQ's context-aware sampling (2022): a map counts 2 and an even spread 0.5,
each with mean 1. Its saliency was a file of DeepGaze II; here it is computed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Focus = Literal["even", "difference", "saliency", "centre", "context"]
_MAP, _EVEN = 2.0, 0.5
_FLOOR = 1e-2  # of the mean magnitude: what a flat image lacks is no surprise
_SIDE = 128  # maps are made of images shrunk to about this many pixels, so that single pixels do not count


def focus(ref: Tensor, dist: Tensor, kind: Focus) -> np.ndarray | None:
    """Density (h, w) for one pair (1, C, H, W) of code; None for an even spread."""
    if kind == "even":
        return None
    ref, dist = _small(ref.detach()), _small(dist.detach())
    parts = {
        "difference": lambda: (ref - dist).abs(),
        "saliency": lambda: saliency(ref),
        "centre": lambda: centre(ref),
    }
    chosen = ("difference", "centre") if kind == "context" else (kind,)
    total = torch.stack([_EVEN + _MAP * _even_out(parts[name]()) for name in chosen]).sum(0)
    return total[0, 0].double().cpu().numpy()


def centre(like: Tensor) -> Tensor:
    """A Gaussian of a quarter of each side around the middle: where viewers look when nothing calls them."""
    h, w = like.shape[-2:]
    y, x = (torch.linspace(-0.5, 0.5, n, dtype=like.dtype, device=like.device) / 0.25 for n in (h, w))
    return torch.exp(-(y[:, None].square() + x.square()) / 2)[None, None]


def saliency(image: Tensor) -> Tensor:
    """Spectral residual: what a log spectrum has beyond its local mean, back in space, squared and blurred.

    Source  Hou & Zhang, CVPR 2007, doi:10.1109/CVPR.2007.383267
    """
    spectrum = torch.fft.fft2(image)
    size = (spectrum.abs() + _FLOOR * spectrum.abs().mean()).log()
    padded = F.pad(size, (1, 1, 1, 1), mode="circular")
    residual = size - F.avg_pool2d(padded, 3, 1)
    found = torch.fft.ifft2(torch.polar(residual.exp(), spectrum.angle())).abs().square()
    return F.avg_pool2d(
        F.avg_pool2d(found, 9, 1, 4, count_include_pad=False), 9, 1, 4, count_include_pad=False
    )


def _small(image: Tensor) -> Tensor:
    """(1, C, H, W) to (1, 1, h, w): mean of the channels, shrunk to a side of about 128."""
    grey = image.mean(1, keepdim=True)
    factor = max(1, min(grey.shape[-2:]) // _SIDE)
    return F.avg_pool2d(grey, factor) if factor > 1 else grey


def _even_out(part: Tensor) -> Tensor:
    """The same with mean 1; a map that is zero everywhere becomes even."""
    mean = part.mean()
    return part / mean if mean > 0 else torch.ones_like(part)
