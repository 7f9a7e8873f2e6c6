"""PIQE: share of visibly distorted blocks, from contrast-normalised luminance, without training."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.filters import pad
from hdrq.scoring.features.natural_statistics import exact, mscn

BLOCK, SEGMENT = 16, 6
# variance of a block worth looking at; deviation of an edge that is too smooth
ACTIVE, IMPAIRED = 0.1, 0.1


@metric(
    Card(
        title="Perception-based image quality evaluator",
        unit="1",
        better="lower",
        span=(0, 100),
        reads="code",
        reference=None,
        grey=True,
        codes=True,
        side=16,
        planes=26,
        trainable=False,
        source="Venkatanath, Praneeth, Bh, Channappayya, Medasani 2015, doi:10.1109/NCC.2015.7084843; "
        "numbers as pypiqe 1.2",
    )
)
def piqe(image: Tensor, *, stretch: Literal["max", "none"] = "max") -> Reading:
    """Mean distortion of the active blocks of 16 x 16 pixels, times 100; 100 too where no block is active.

    stretch  max: codes are scaled so that the image's brightest is 255, then rounded, as the reference does (so of
             pu21 code only relative differences count). none: codes as they are
    map      distortion of the block a pixel lies in: 1 - variance where an edge has a stretch too smooth (blocking,
             blur), plus the variance where the block resembles noise; 0 elsewhere
    extra    shares of the pixels: active, artifact, noise
    The thresholds leave hardly a gradient: do not train on it.
    """
    h, w = image.shape[-2:]
    codes = exact(image)
    if stretch == "max":
        codes = (255 * codes / codes.amax((1, 2, 3), keepdim=True).clamp(min=1e-12)).round()
    codes = mscn(pad(codes, 0, -h % BLOCK, 0, -w % BLOCK, "symmetric"), "replicate")
    blocks = codes.unflatten(2, (-1, BLOCK)).unflatten(4, (-1, BLOCK))[:, 0].transpose(2, 3)
    columns, squares = blocks.sum(-2), (blocks * blocks).sum(-2)
    variance = _variance(columns, squares, BLOCK)
    active = variance > ACTIVE
    artifact, noise = active & _has_smooth_edge(blocks), active & _is_noisy(columns, squares)
    distortion = artifact * (1 - variance) + noise * variance
    value = 100 * (distortion.sum((1, 2)) + 1) / (active.sum((1, 2)) + 1)
    masks = torch.stack([distortion, active, artifact, noise], 1)
    masks = masks.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)[..., :h, :w].to(image)
    shares = dict(zip(("active", "artifact", "noise"), masks[:, 1:].mean((2, 3)).unbind(1)))
    return Reading(value.to(image), masks[:, :1], shares)


def _variance(sums: Tensor, squares: Tensor, samples: int) -> Tensor:
    """Of everything along the last dimension, from the sums and the sums of squares of `samples` samples each."""
    n = samples * sums.shape[-1]
    return (squares.sum(-1) - sums.sum(-1) ** 2 / n).clamp(min=0) / (n - 1)


def _has_smooth_edge(blocks: Tensor) -> Tensor:
    """Whether any 6 successive samples along one of the 4 edges hardly vary."""
    edges = torch.stack([blocks[..., 0, :], blocks[..., -1, :], blocks[..., 0], blocks[..., -1]], -2)
    segments = edges.unfold(-1, SEGMENT, 1)
    return (_variance(segments, segments * segments, 1) < IMPAIRED**2).flatten(-2).any(-1)


def _is_noisy(columns: Tensor, squares: Tensor) -> Tensor:
    """Whether the block deviates far more than its two middle columns differ from the columns around.

    Columns 8 and 9 are the middle; the reference takes columns 8 and 10 out of the surround, keeping 9 in both.
    """
    around = [*range(7), 8, *range(10, BLOCK)]
    whole, middle, surround = (
        _variance(columns[..., chosen], squares[..., chosen], BLOCK).sqrt()
        for chosen in (slice(None), slice(7, 9), around)
    )
    contrast = middle / surround
    return whole > 2 * (whole - contrast).abs() / torch.maximum(whole, contrast)
