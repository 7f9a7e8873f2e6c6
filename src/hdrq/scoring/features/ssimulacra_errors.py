"""The three error maps of SSIMULACRA 2: lost structure, artefacts and lost detail of a blurred plane."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, exp, pi, sin, tan

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.caching import cached
from hdrq.image.filters import strips, window

SIGMA, RADIUS = 1.5, 5  # of the recursive filter; its outermost taps are 0
C2 = 0.0009  # as SSIM's, of planes between 0 and 1


@cached(1)
def cosine_taps() -> tuple[float, ...]:
    """Nine taps, sum 1, that the recursive Gaussian of sums of cosines amounts to.

    Source: Charalampidis, IEEE TSP 2016, doi:10.1109/TSP.2016.2549985, as in libjxl aea3a06
    """
    omega = [k * pi / (2 * RADIUS) for k in (1, 3, 5)]
    p = [sign / tan(w / 2) for sign, w in zip((1, -1, 1), omega)]
    r = [sign * a * a / sin(w) for sign, a, w in zip((1, -1, 1), p, omega)]
    rho = [exp(-(SIGMA**2) * w * w / 2) / RADIUS for w in omega]
    d13, d35, d51 = (p[i] * r[j] - r[i] * p[j] for i, j in ((0, 1), (1, 2), (2, 0)))
    z1, z3 = d35 / d13, d51 / d13
    system = np.array([p, r, [z1, z3, 1.0]])
    beta = np.linalg.solve(system, [1.0, RADIUS**2 - SIGMA**2, z1 * rho[0] + z3 * rho[1] + rho[2]])
    reach = RADIUS - 1
    return tuple(sum(float(b) * cos(w * n) for b, w in zip(beta, omega)) for n in range(-reach, reach + 1))


def errors(ref: Tensor, dist: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """(structure error, signed edge error) of planes (N, C, H, W), a strip of rows at a time.

    The first is 0 or more: one minus contrast-structure similarity, whose covariances are taken from the difference of
    the planes, which is the same number and keeps its digits where the planes nearly agree. The second is above 0 for
    edges that only the test image has and below 0 for those it lost, at most 1 below. Outside the frame is zero.
    """
    taps = cosine_taps()
    reach = len(taps) // 2
    n, c, h, w = ref.shape
    ref, dist = (F.pad(x, (reach, reach, reach, reach)) for x in (ref, dist))
    for rows in strips(h, 4 * n * c * w, ref, 2 * reach):
        x, y = (z[..., rows.start : rows.stop + 2 * reach, :] for z in (ref, dist))
        mx, my, apart, power = window(torch.stack((x, y, (x - y).square(), x * x + y * y)), taps).unbind()
        shift = (mx - my).square()
        apart = (apart - shift) / (power - mx * mx - my * my + C2)
        inner = (..., slice(reach, -reach), slice(reach, -reach))
        edge_ref, edge_dist = (x[inner] - mx).abs(), (y[inner] - my).abs()
        yield (shift + apart - shift * apart).clamp(min=0), (edge_dist - edge_ref) / (1 + edge_ref)
