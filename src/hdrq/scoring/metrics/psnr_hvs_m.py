"""PSNR-HVS-M: PSNR-HVS with masking between coefficients."""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.arithmetic import root
from hdrq.scoring.features.block_cosines import BLOCK, MASKING, SENSITIVITY, blocks, transform
from hdrq.scoring.features.pixel_errors import decibels

WHITE = 255.0


@metric(
    Card(
        title="PSNR-HVS-M: PSNR-HVS with masking between coefficients",
        unit="dB",
        better="higher",
        span=(None, None),
        best=inf,
        reads="code",
        grey=True,
        codes=True,
        side=BLOCK,
        planes=20,
        source="Ponomarenko, Silvestri, Egiazarian, Carli, Astola, Lukin, VPQM 2007",
    )
)
def psnr_hvs_m(ref: Tensor, dist: Tensor) -> Tensor:
    """PSNR-HVS in which a difference counts only as far as the other coefficients of its block do not mask it.

    ref, dist  (N, 1, H, W), codes 0..255; an incomplete block at the right or the bottom is left out
    returns    +inf where all is identical or masked (100000 in the authors' program)
    """
    pieces = [blocks(code) for code in (ref, dist)]
    spectra = [transform(p) for p in pieces]
    weights, masking = (spectra[0].new_tensor(t) for t in (SENSITIVITY, MASKING))
    masked = torch.maximum(*(_energy(p, s, masking) for p, s in zip(pieces, spectra)))
    threshold = masked[..., None, None] / masking
    first_row = torch.cat([torch.zeros_like(threshold[..., :1, :1]), threshold[..., :1, 1:]], -1)
    threshold = torch.cat([first_row, threshold[..., 1:, :]], -2)
    seen = ((spectra[0] - spectra[1]).abs() - threshold).clamp(min=0)
    return decibels((seen * weights).square().mean((1, 2, 3, 4)), WHITE**2)


def _energy(block: Tensor, spectrum: Tensor, masking: Tensor) -> Tensor:
    """Masking by a block, smaller where its four quarters have little variance compared with the whole; (N, rows, columns)."""
    without_mean = masking.clone()
    without_mean[0, 0] = 0
    energy = (spectrum.square() * without_mean).sum((-2, -1))
    whole = _spread(block.flatten(-2))
    half = BLOCK // 2
    quarters = block.unflatten(-1, (2, half)).unflatten(-3, (2, half)).transpose(-3, -2).flatten(-2)
    varies = whole > 0
    share = torch.where(varies, _spread(quarters).sum((-2, -1)) / torch.where(varies, whole, 1.0), 0.0)
    return root(energy * share) / 32


def _spread(x: Tensor) -> Tensor:
    """Sample variance of the last dimension times its length."""
    n = x.shape[-1]
    return (x - x.mean(-1, keepdim=True)).square().sum(-1) * (n / (n - 1))
