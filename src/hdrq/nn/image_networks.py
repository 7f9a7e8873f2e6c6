"""What networks that make images share: their use (light of code, code of light, one image of a bracket, code of another
quality), tiles over images of any size, and the input of those that merge three exposures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.cards import Option, options_of

Task = Literal["expand", "tonemap", "merge", "fuse", "enhance"]
# of the code that these networks were trained on
GAMMA = 2.2


@dataclass(frozen=True)
class Use:
    """The use of a network in a task.

    task    and its function, whose keyword-only parameters are options of the user:
            "expand"   apply(net, code (N, 3, H, W) sRGB code 0..1) -> cd/m²
            "tonemap"  apply(net, light (N, 3, H, W) of any scale) -> sRGB code 0..1
            "merge"    apply(net, frames (K, 3, H, W), seconds (K,)) -> radiance (3, H, W); frames are light over the white
                       of their exposure, the shortest first, whose seconds are 1; radiance 1 is the white of the shortest
            "fuse"     apply(net, frames (K, 3, H, W) of sRGB code, the darkest first) -> code (3, H, W)
            "enhance"  apply(net, code (1, 3, H, W) of sRGB code, quality, seed) -> (code of that quality, the quality that
                       the network sees in the image before, and after)
    frames  smallest and largest number of frames of "merge" and "fuse"
    align   alignment of the frames where the user names none
    limits  smallest and largest value of numeric options
    """

    task: Task
    apply: Callable[..., Any]
    title: str
    frames: tuple[int, int] = (1, 1)
    align: Literal["auto", "flow"] = "auto"
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def reads(self) -> str:
        """The encoding of the images that networks of this task read, for the choice of weights."""
        return "linear" if self.task == "tonemap" else "srgb"

    @property
    def options(self) -> dict[str, Option]:
        """Keyword arguments of `apply` by name, with defaults and choices."""
        return options_of(self.apply)


def to_multiple(image: Tensor, multiple: int) -> Tensor:
    """The image (..., C, H, W) with its last rows and columns repeated up to multiples of a size."""
    h, w = image.shape[-2:]
    down, right = -h % multiple, -w % multiple
    if not (down or right):
        return image
    flat = image.reshape(-1, *image.shape[-3:])
    return F.pad(flat, (0, right, 0, down), mode="replicate").reshape(*image.shape[:-2], h + down, w + right)


def tiled(
    function: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    side: int = 512,
    margin: int = 64,
    multiple: int = 1,
    needed: Callable[[Tensor], bool] = lambda part: True,
) -> Tensor:
    """function(image) for images (..., C, H, W) of any size, with the memory of one tile and its margin.

    side      of the square tiles; images of at most this area are not divided
    margin    pixels around a tile that the function reads too: where it reads no farther, tiles change nothing
    multiple  of every side that the function is given; side and margin are multiples of it
    needed    whether a tile without its margin has to be computed; others are 0
    """
    h, w = image.shape[-2:]
    whole = to_multiple(image, multiple)
    rows, columns = whole.shape[-2:]
    if rows * columns <= side * side and needed(image):
        return function(whole)[..., :h, :w]
    result: Tensor | None = None
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            bottom, right = min(top + side, rows), min(left + side, columns)
            if not needed(whole[..., top:bottom, left:right]):
                continue
            y, x = max(0, top - margin), max(0, left - margin)
            made = function(whole[..., y : bottom + margin, x : right + margin])
            if result is None:
                result = made.new_zeros(*made.shape[:-2], rows, columns)
            inner = made[..., top - y : bottom - y, left - x : right - x]
            result[..., top:bottom, left:right] = inner
    if result is None:
        return image.new_zeros(*image.shape[:-3], 3, h, w)
    return result[..., :h, :w]


def code_and_light(frames: Tensor, seconds: Tensor, gamma: float = GAMMA) -> Tensor:
    """(1, K, 6, H, W): code of a gamma, and light over exposure, of light 0..1 over white (K, 3, H, W)."""
    clipped = frames.clamp(0, 1)
    return torch.cat([clipped ** (1 / gamma), clipped / seconds.to(frames).reshape(-1, 1, 1, 1)], 1)[None]


def merged(net: nn.Module, frames: Tensor, seconds: Tensor, reach: int) -> Tensor:
    """Radiance (3, H, W) of the middle frame's scene by a network of code and light; 1 is the white of the shortest frame.

    reach  pixels: farther ones do not influence a pixel
    """
    return tiled(net, code_and_light(frames, seconds), side=512, margin=reach)[0]


def code_and_aligned_code(frames: Tensor, seconds: Tensor, gamma: float) -> Tensor:
    """(1, K, 6, H, W): code, and code of the same light at the exposure of the middle frame, which may exceed 1."""
    clipped = frames.clamp(0, 1)
    ratio = (seconds[len(seconds) // 2] / seconds).to(frames).reshape(-1, 1, 1, 1)
    return torch.cat([clipped ** (1 / gamma), (clipped * ratio) ** (1 / gamma)], 1)[None]
