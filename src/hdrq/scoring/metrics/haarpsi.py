"""Haar wavelet perceptual similarity."""

from __future__ import annotations

from math import exp
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.caching import shared
from hdrq.image.color import yiq
from hdrq.image.filters import window
from hdrq.image.resize import shrink
from hdrq.scoring.features.similarity import similarity, weighted_mean

C = 30.0
# steepness of the logistic through which similarities are averaged
ALPHA = 4.2
FOOT = exp(-ALPHA)


@metric(
    Card(
        title="Haar wavelet perceptual similarity",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        codes=True,
        best=1.0,
        side=16,
        planes=60,
        source="Reisenhofer, Bosse, Kutyniok, Wiegand, SPIC 2018, doi:10.1016/j.image.2017.11.001",
    )
)
def haarpsi(ref: Tensor, dist: Tensor, *, variant: Literal["rgb", "gray", "nosub"] = "rgb") -> Reading:
    """Similarity of two fine Haar scales, weighted by a third, coarser one.

    variant  rgb    at half size, with chroma as a third "direction"; on one channel the same as gray
             gray   the Y of YIQ alone
             nosub  rgb at full size
    map      local similarity before the logistic, averaged over directions with their weights
    """
    half = variant != "nosub"
    (ref_y, ref_iq), (dist_y, dist_iq) = _channels(ref, half), _channels(dist, half)
    alike, weight = [], []
    for a, b in zip(_haar(ref_y), _haar(dist_y)):
        alike.append((similarity(a[0], b[0], C) + similarity(a[1], b[1], C)) / 2)
        weight.append(torch.maximum(a[2], b[2]))
    if variant != "gray" and ref.shape[1] == 3:
        alike.append(similarity(ref_iq, dist_iq, C).mean(1, keepdim=True))
        weight.append((weight[0] + weight[1]) / 2)
    local, weights = torch.cat(alike, 1), torch.cat(weight, 1)
    here = weights.sum(1, keepdim=True)
    shown = torch.where(
        here > 0, (local * weights).sum(1, keepdim=True) / torch.where(here > 0, here, 1.0), 1.0
    )
    return Reading(_unbend(weighted_mean(_bend(local), weights)) ** 2, shown)


def _bend(x: Tensor) -> Tensor:
    """How far the logistic of a similarity lies below that of 1; exactly 0 at 1."""
    rise = torch.expm1(ALPHA * (1 - x))
    return FOOT * rise / ((1 + FOOT) * (1 + FOOT + FOOT * rise))


def _unbend(depth: Tensor) -> Tensor:
    """The similarity whose logistic lies that far below; exactly 1 at 0."""
    odds = (1 - depth * (1 + FOOT)) / (FOOT + depth * (1 + FOOT))
    return 1 + torch.log(odds * FOOT) / ALPHA


@shared
def _channels(code: Tensor, half: bool) -> tuple[Tensor, Tensor]:
    """Y (N, 1, h, w), and |I|, |Q| smoothed over 2x2 pixels (N, 2, h, w)."""
    y, iq = yiq(shrink(code, 2) if half else code).split((1, 2), 1)
    return y, window(F.pad(iq, (0, 1, 0, 1)), (0.5, 0.5)).abs()


def _haar(y: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Moduli of the Haar coefficients of widths 2, 4, 8: across rows, then across columns; zeros outside."""
    h, w = y.shape[-2:]
    y = F.pad(y, (3, 4, 3, 4))
    rows, columns = [], []
    for k, ((row_sum, row_step), reach) in enumerate(zip(_ladder(y, -2), (3, 2, 0))):
        row_sum, row_step = (x[..., reach : reach + h, :] for x in (row_sum, row_step))
        rows.append(_last(row_step, k)[0][..., reach : reach + w].abs() / 2 ** (k + 1))
        columns.append(_last(row_sum, k)[1][..., reach : reach + w].abs() / 2 ** (k + 1))
    return rows, columns


def _ladder(x: Tensor, dim: int, rungs: int = 3) -> list[tuple[Tensor, Tensor]]:
    """Sums and differences of the two halves of runs of 2, 4, 8 samples along `dim`, each from the last."""
    found = []
    for k in range(rungs):
        n, reach = x.shape[dim], 2**k
        near, far = x.narrow(dim, 0, n - reach), x.narrow(dim, reach, n - reach)
        found.append((near + far, far - near))
        x = found[-1][0]
    return found


def _last(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    return _ladder(x, -1, k + 1)[k]
