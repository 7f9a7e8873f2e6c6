"""Information content weighted SSIM."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.filters import joined, strips, window
from hdrq.image.pyramids import double, laplacian_pyramid
from hdrq.scoring.features.information import SIDE as BLOCK
from hdrq.scoring.features.information import distortion_channel, moments, strength
from hdrq.scoring.features.similarity import gaussian_taps, structure

# MS-SSIM's, brought to sum 1
WEIGHTS = tuple(w / 1.0001 for w in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333))
SPAN = 255.0
# variance of the visual noise, code²
NOISE = 0.4
FLAT = 1e-15


@metric(
    Card(
        title="Information content weighted SSIM",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="code",
        codes=True,
        grey=True,
        best=1.0,
        side=161,
        planes=34,
        source="Wang, Li, IEEE TIP 2011, doi:10.1109/TIP.2010.2092435",
    )
)
def iw_ssim(ref: Tensor, dist: Tensor) -> Tensor:
    """MS-SSIM of a Laplacian pyramid, every place weighed by the information it carries.

    The information is what both images tell about a Gaussian scale mixture of 3x3 neighbours and the
    coarser parent; noise variance 0.4 and L = 255 on the 0..255 scale, PU code as it is.
    """
    refs, dists = laplacian_pyramid(ref, len(WEIGHTS)), laplacian_pyramid(dist, len(WEIGHTS))
    score = torch.ones_like(ref[:, 0, 0, 0])
    for x, y, weight, exponent in zip(refs, dists, _weights(refs, dists), WEIGHTS):
        # of a band, and of a rest 16 times as bright
        middle = 0.0 if weight is not None else 8 * SPAN
        parts = list(structure(x, y, gaussian_taps(), SPAN, middle=middle))
        alike = torch.cat([cs if weight is not None else light * cs for light, cs in parts], -2)
        score = score * _mean(alike, weight).abs() ** exponent
    return score


def _mean(x: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return x.mean((1, 2, 3))
    total = weight.sum((1, 2, 3))
    some = total > 0
    return torch.where(some, (x * weight).sum((1, 2, 3)) / torch.where(some, total, 1.0), x.mean((1, 2, 3)))


def _weights(refs: list[Tensor], dists: list[Tensor]) -> Iterator[Tensor | None]:
    """Information at every pixel where the 11x11 window fits; None at the coarsest scale."""
    inset = len(gaussian_taps()) // 2 - BLOCK // 2
    for scale, (ref, parent) in enumerate(pairwise(refs)):
        # the low-pass residual is not used as a parent
        related = parent if scale < len(refs) - 2 else None
        yield _information(ref, dists[scale], related)[..., inset:-inset, inset:-inset]
    yield None


def _information(ref: Tensor, dist: Tensor, parent: Tensor | None) -> Tensor:
    """Bits shared between the scene and its two percepts, (N, 1, h - 2, w - 2)."""
    h, w = ref.shape[-2:]
    if parent is not None:
        parent = double(parent)[..., 1 : h - 1, 1 : w - 1]
    _, power = moments(ref, parent)
    local = strength(ref, power, parent)
    variances = torch.linalg.eigvalsh(power).clamp(min=0).to(ref)
    more = BLOCK - 1
    wide = (slice(rows.start, rows.stop + more) for rows in strips(h - more, 5 * len(ref) * w, ref, more))
    parts = (
        _bits(ref[..., at, :], dist[..., at, :], local[..., at.start : at.stop - more, :], variances)
        for at in wide
    )
    return joined(parts, h - more)


def _bits(ref: Tensor, dist: Tensor, local: Tensor, variances: Tensor) -> Tensor:
    """The same of a strip of rows, given the strength of every neighbourhood and the variances of the mixture (N, K)."""
    gain, noise = _channel(ref, dist)
    reach = (noise + (1 + gain * gain) * NOISE) * local / NOISE**2
    floor = 1 + noise / NOISE
    bits = torch.zeros_like(floor)
    for v in variances.unbind(1):
        bits = bits + torch.log2(floor + reach * v.reshape(-1, 1, 1, 1))
    return bits


def _channel(ref: Tensor, dist: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and noise variance of dist = gain · ref + noise over 3x3 pixels."""
    maps = torch.cat((ref, dist, ref * ref, dist * dist, ref * dist), 1)
    mx, my, xx, yy, xy = window(maps, (1 / BLOCK,) * BLOCK).split(1, 1)
    var_ref, var_dist, cov = (xx - mx * mx).clamp(min=0), (yy - my * my).clamp(min=0), xy - mx * my
    gain, noise = distortion_channel(var_ref, var_dist, cov, FLAT)
    return gain, noise.clamp(min=0)
