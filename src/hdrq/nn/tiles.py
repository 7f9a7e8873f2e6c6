"""Networks over images of any size: padding to a multiple of the network's stride, and tiles with a margin of context."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


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
