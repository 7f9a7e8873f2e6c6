"""Gamut mapping: colours outside the display's gamut are moved into it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hdrq.image.statistics import luminance, ratio


def clip(shown: Tensor) -> Tensor:
    """Every channel clipped to 0..1; hue and luminance change."""
    return shown.clamp(0, 1)


def desaturate(shown: Tensor) -> Tensor:
    """Desaturated towards grey of the same luminance until every channel is within 0..1; white where that is brighter."""
    grey = luminance(shown).clamp(0, 1)
    high, low = shown.amax(1, keepdim=True), shown.amin(1, keepdim=True)
    keep_high = ratio(1 - grey, high - grey).where(high > 1, torch.ones_like(grey))
    keep_low = ratio(grey, grey - low).where(low < 0, torch.ones_like(grey))
    keep = keep_high.minimum(keep_low).clamp(0, 1)
    return (grey + keep * (shown - luminance(shown))).clamp(0, 1)


def scale(shown: Tensor) -> Tensor:
    """Pixels with a channel above 1 are darkened until it is 1; hue and saturation are kept."""
    return (shown / shown.amax(1, keepdim=True).clamp(min=1)).clamp(min=0)


GAMUT_MAPPINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "clip": clip,
    "desaturate": desaturate,
    "scale": scale,
}
