"""Mean deviation similarity index."""

from __future__ import annotations

from math import pi
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import root
from hdrq.image.caching import shared
from hdrq.image.color import mix
from hdrq.image.filters import PREWITT, gradient
from hdrq.image.resize import factor, shrink
from hdrq.scoring.features.similarity import similarity

C_EDGE, C_FUSED, C_CHROMA = 140.0, 55.0, 550.0
# share of the edges in the sum
ALPHA = 0.6
# exponents of edges and chroma in the product
GAMMA, BETA = 0.2, 0.1
# luma, then the two chroma axes of Geusebroek et al., PAMI 2001, to the digits of the paper
LHM = np.array([[0.2989, 0.5870, 0.1140], [0.30, 0.04, -0.35], [0.34, -0.60, 0.17]])


@metric(
    Card(
        title="Mean deviation similarity index",
        unit="1",
        better="lower",
        span=(0, None),
        reads="code",
        codes=True,
        best=0.0,
        side=4,
        planes=8,
        source="Nafchi, Shahkolaei, Hedjam, Cheriet, IEEE Access 2016, doi:10.1109/ACCESS.2016.2604042",
        map="similarity",
    )
)
def mdsi(ref: Tensor, dist: Tensor, *, combine: Literal["sum", "mult"] = "sum") -> Reading:
    """Fourth root of the mean deviation of the fourth root of edge and chroma similarity.

    combine  how edges and chroma meet: a weighted "sum" (the authors' default) or a product of powers, "mult"
    map      real part of the deviating quantity q^(1/4), at about 256 pixels on the smaller side
    """
    (ref_l, ref_c), (dist_l, dist_c) = _small_lhm(ref), _small_lhm(dist)
    edges = _edges(ref_l, dist_l)
    chroma = 2 * (ref_c * dist_c).sum(1, keepdim=True) + C_CHROMA
    chroma = chroma / ((ref_c**2 + dist_c**2).sum(1, keepdim=True) + C_CHROMA)
    if combine == "sum":
        size, turn = _polar(ALPHA * edges + (1 - ALPHA) * chroma)
        size, turn = _power(size, 1 / 4), turn / 4
    else:
        (edge, edge_turn), (tint, tint_turn) = _polar(edges), _polar(chroma)
        size = _power(edge, GAMMA / 4) * _power(tint, BETA / 4)
        turn = (GAMMA * edge_turn + BETA * tint_turn) / 4
    q, imaginary = size * turn.cos(), size * turn.sin()
    deviation = root((q - _mean(q)) ** 2 + (imaginary - _mean(imaginary)) ** 2)
    return Reading(root(root(deviation.mean((1, 2, 3)))), q)


@shared
def _small_lhm(code: Tensor) -> tuple[Tensor, Tensor]:
    """Luma (N, 1, h, w) and two chroma channels (N, 2, h, w); a grey image's chroma is that of equal RGB."""
    code = shrink(code, factor(*code.shape[-2:]))
    luma, chroma = mix(code.expand(-1, 3, -1, -1), LHM).split((1, 2), 1)
    return luma, chroma


def _edges(ref: Tensor, dist: Tensor) -> Tensor:
    """Similarity of gradients, less where the mean of both images shows that edges were lost."""
    between = gradient((ref + dist) / 2, PREWITT)
    ref, dist = gradient(ref, PREWITT), gradient(dist, PREWITT)
    return (
        similarity(ref, dist, C_EDGE) + similarity(dist, between, C_FUSED) - similarity(ref, between, C_FUSED)
    )


def _polar(x: Tensor) -> tuple[Tensor, Tensor]:
    """Modulus and argument of a real number: its roots are complex where it is negative."""
    return x.abs(), torch.where(x < 0, pi, 0.0).to(x)


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent of x >= 0, without slope at 0."""
    return torch.where(x > 0, torch.where(x > 0, x, 1.0) ** exponent, 0.0)


def _mean(x: Tensor) -> Tensor:
    return x.mean((1, 2, 3), keepdim=True)
