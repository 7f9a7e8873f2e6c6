"""Random windows of scenes with flips, quarter turns and exchanged channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hdrq.training.images.scenes import Scene


def uniform(low: float, high: float, chance: Generator) -> float:
    """A random number within [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=chance, dtype=torch.float64))


def whole(count: int, chance: Generator) -> int:
    """A random whole number of 0 .. count - 1."""
    return int(torch.randint(count, (), generator=chance))


def one_of(scenes: Sequence[Scene], chance: Generator) -> Scene:
    return scenes[whole(len(scenes), chance)]


def window(light: Tensor, side: int, zoom: float, chance: Generator) -> Tensor:
    """A random square window of (3, H, W), reduced by 1 .. zoom and averaged to side x side.

    A scene smaller than the window is enlarged to it.
    """
    h, w = light.shape[-2:]
    taken = round(side * zoom ** uniform(0, 1, chance))
    taken = min(taken, h, w)
    top, left = whole(h - taken + 1, chance), whole(w - taken + 1, chance)
    cut = light[None, :, top : top + taken, left : left + taken]
    if taken == side:
        return cut[0]
    if taken > side:
        return F.interpolate(cut, size=(side, side), mode="area")[0]
    return F.interpolate(cut, size=(side, side), mode="bilinear", align_corners=False)[0]


def turned(image: Tensor, chance: Generator, swap: bool = True) -> Tensor:
    """The image (..., H, W) flipped and turned by quarters at random; with `swap`, channels (3, H, W) are permuted."""
    if whole(2, chance):
        image = image.flip(-1)
    image = torch.rot90(image, whole(4, chance), (-2, -1))
    order = torch.randperm(3, generator=chance)
    return (image[order] if swap else image).contiguous()


def crop(scene: Scene, side: int, zoom: float, chance: Generator, swap: bool = True) -> Tensor:
    """A random window of a scene, flipped and turned, (3, side, side)."""
    return turned(window(scene.light, side, zoom, chance), chance, swap)
