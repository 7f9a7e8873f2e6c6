"""hdrq::gather on a GPU: one kernel extracts and halves, another one halves further.

Additions are in the order of hdrq.scoring.sampling.gather.halve, so that patches are identical bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

# pixels written by a program
_BLOCK = 256


@triton.jit
def _cut(
    images,
    corners,
    out,
    channels,
    height,
    width,
    patches,
    side,
    sets,
    HALVE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One tile of one channel of one patch; `side` is what is written, read are 2·side rows where HALVE."""
    patch, plane = tl.program_id(0), tl.program_id(1)
    image, channel = plane // channels, plane % channels
    pixel = tl.program_id(2) * BLOCK + tl.arange(0, BLOCK)
    row, column = pixel // side, pixel % side
    inside = pixel < side * side
    at = corners + ((image % sets) * patches + patch) * 2
    step = 2 if HALVE else 1
    top = tl.load(at) + row * step
    left = tl.load(at + 1) + column * step
    source = images + plane.to(tl.int64) * height * width + top.to(tl.int64) * width + left
    value = tl.load(source, mask=inside)
    if HALVE:
        below = tl.load(source + width, mask=inside)
        right = tl.load(source + 1, mask=inside)
        corner = tl.load(source + width + 1, mask=inside)
        value = ((value + below) + (right + corner)) * 0.25
    goal = (image.to(tl.int64) * patches + patch) * channels + channel
    tl.store(out + goal * side * side + pixel, value, mask=inside)


@triton.jit
def _halve(blocks, out, side, BLOCK: tl.constexpr):
    """One tile of one plane, 2·side to side."""
    plane = tl.program_id(0)
    pixel = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < side * side
    width = 2 * side
    source = blocks + plane.to(tl.int64) * width * width + (pixel // side) * 2 * width + (pixel % side) * 2
    value = tl.load(source, mask=inside) + tl.load(source + width, mask=inside)
    other = tl.load(source + 1, mask=inside) + tl.load(source + width + 1, mask=inside)
    tl.store(out + plane.to(tl.int64) * side * side + pixel, (value + other) * 0.25, mask=inside)


def gather(images: Tensor, corners: Tensor, counts: Sequence[int], patch: int) -> Tensor:
    """As the operator: (B, C, H, W), corners (1 or B, N, 2) int64, patches per level -> (B, N, C, p, p)."""
    images = images.contiguous()
    corners = corners.to(images.device, non_blocking=True)
    b, c, h, w = images.shape
    out = []
    for level, at in enumerate(corners.split(list(counts), 1)):
        n = at.shape[1]
        if not n:
            continue
        side = patch << max(level - 1, 0)
        blocks = images.new_empty(b, n, c, side, side)
        grid = (n, b * c, triton.cdiv(side * side, _BLOCK))
        at = (at << level).contiguous()
        _cut[grid](images, at, blocks, c, h, w, n, side, at.shape[0], HALVE=level > 0, BLOCK=_BLOCK)
        for _ in range(level - 1):
            side //= 2
            smaller = images.new_empty(b, n, c, side, side)
            _halve[(b * n * c, triton.cdiv(side * side, _BLOCK))](blocks, smaller, side, BLOCK=_BLOCK)
            blocks = smaller
        out.append(blocks)
    return torch.cat(out, 1)
