"""NIQE: distance of an image's statistics from those of pristine photographs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.arithmetic import root
from hdrq.image.resize import imresize
from hdrq.scoring.features.natural_statistics import asymmetric, exact, gamma_ratio, mscn
from hdrq.scoring.features.tables import table

BLOCK = 96
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


@metric(
    Card(
        title="Natural image quality evaluator",
        unit="1",
        better="lower",
        span=(0, None),
        reads="code",
        reference=None,
        grey=True,
        codes=True,
        side=BLOCK,
        planes=24,
        source="Mittal, Soundararajan, Bovik 2013, doi:10.1109/LSP.2012.2227726; numbers as utlive/niqe d80aead",
    )
)
def niqe(image: Tensor, *, flat: Literal["octave", "zero"] = "octave") -> Tensor:
    """How far the Gaussian of 36 features of the image's 96 x 96 blocks lies from the one of pristine photographs.

    flat  where an image is flat, its normalised codes are rounding errors of a sum, and their signs decide the fits.
          octave: as the authors' program adds up in Octave 7 (MATLAB adds up otherwise: 8.635 in place of 8.765 for
          pyiqa's distorted I19). zero: no difference, the same on every machine
    The border beyond whole blocks is ignored; a small image has few blocks and an unreliable score. The pristine
    model is of SDR code 0..255; PU21 code is used without scaling (0..595), and its scores are only comparable to each other.
    """
    codes = exact(image)
    h, w = (side // BLOCK * BLOCK for side in codes.shape[-2:])
    codes = codes[..., :h, :w]
    features = torch.cat(
        [_features(codes, BLOCK, flat), _features(imresize(codes, 0.5), BLOCK // 2, flat)], -1
    )
    known = ~features.isnan()
    complete = known.all(-1, keepdim=True)
    features = features.where(known, features.new_zeros(()))
    mean = features.sum(1) / known.sum(1).clamp(min=1)
    count = complete.sum(1, keepdim=True).clamp(min=1)
    features = features * complete
    deviation = (features - features.sum(1, keepdim=True) / count) * complete
    covariance = deviation.mT @ deviation / (count - 1).clamp(min=1)
    pristine = {key: torch.as_tensor(a, device=image.device) for key, a in table("niqe").items()}
    away = mean - pristine["mean"]
    nearness = torch.linalg.pinv((covariance + pristine["covariance"]) / 2, hermitian=True)
    return root(torch.einsum("ni,nij,nj->n", away, nearness, away)).to(image)


def _features(x: Tensor, side: int, flat: str) -> Tensor:
    """(N, blocks, 18): the fits of a block and of its products with four neighbours, wrapping inside the block."""
    n, _, h, w = x.shape
    blocks = (
        mscn(x, "replicate", settle=flat == "zero")
        .reshape(n, h // side, side, w // side, side)
        .transpose(2, 3)
    )
    blocks = blocks.reshape(n, -1, side, side)
    shape, left, right = _scales(blocks)
    features = [shape, (left + right) / 2]
    for shift in NEIGHBOURS:
        shape, left, right = _scales(blocks * blocks.roll(shift, (-2, -1)))
        features += [shape, (right - left) * gamma_ratio(shape, 2, 1), left, right]
    return torch.stack(features, -1)


def _scales(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(shape, left scale, right scale): deviations turned into the distribution's own scale."""
    shape, left, right = asymmetric(x.flatten(-2))
    scale = root(gamma_ratio(shape, 1, 3))
    return shape, left * scale, right * scale
