from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.ops.sliding import strips
from hdrq.ops.steerable import decompose
from hdrq.types import Card, metric

LEVELS, ORIENTATIONS = 4, (0, 3)  # the two of sp5's six orientations that the authors take
BLOCK = 3  # neighbouring coefficients of one Gaussian scale mixture, per side
NOISE = 0.4  # variance of the visual noise, code²
FLAT = 1e-15


@metric(
    Card(
        title="Visual information fidelity",
        unit="1",
        better="higher",
        span=(0, None),
        reads="code",
        codes=True,
        grey=True,
        best=1.0,
        side=72,
        source="Sheikh, Bovik, IEEE TIP 2006, doi:10.1109/TIP.2005.859378",
    )
)
def vif(ref: Tensor, dist: Tensor) -> Tensor:
    """Information the test image keeps over information in the reference, in eight wavelet bands.

    Bands of a steerable pyramid (sp5, four levels); natural images as a Gaussian scale mixture of 3x3 blocks.
    Above 1 for more contrast. A reference without any variance carries no information to lose: 1.
    """
    kept, there = torch.zeros_like(ref[:, 0, 0, 0]), torch.zeros_like(ref[:, 0, 0, 0])
    bands = zip(decompose(ref, LEVELS, "sp5")[1:-1], decompose(dist, LEVELS, "sp5")[1:-1])
    for level, (x, y) in enumerate(bands):
        for b in ORIENTATIONS:
            part = _information(x[:, b : b + 1], y[:, b : b + 1], 2 ** (LEVELS - level) + 1)
            kept, there = kept + part[0], there + part[1]
    some = there > 0
    return torch.where(some, kept / torch.where(some, there, 1.0), 1.0)


def _information(ref: Tensor, dist: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Nats kept and nats in the reference, (N,) each, of one band seen through windows of `side` pixels."""
    h, w = (n // BLOCK * BLOCK for n in ref.shape[-2:])
    ref, dist = ref[..., :h, :w], dist[..., :h, :w]
    strength, variances = _mixture(ref)
    edge = -(-(side // 2) // BLOCK)  # blocks whose window would leave the band
    gain, noise = _channel(ref, dist, side, edge)
    strength = strength[..., edge : strength.shape[-2] - edge, edge : strength.shape[-1] - edge]
    clear, through = strength / NOISE, gain * gain * strength / (noise + NOISE)
    kept, there = 0.0, 0.0
    for v in variances.unbind(1):
        v = v.reshape(-1, 1, 1, 1)
        kept = kept + torch.log1p(through * v).sum((1, 2, 3))
        there = there + torch.log1p(clear * v).sum((1, 2, 3))
    return kept, there


def _mixture(band: Tensor) -> tuple[Tensor, Tensor]:
    """Local strength s of every block (N, 1, h/3, w/3), and eigenvalues (N, 9) of the blocks' covariance."""
    n, _, h, w = band.shape
    size = BLOCK * BLOCK
    count = (h - BLOCK + 1) * (w - BLOCK + 1)
    mean, power = 0.0, 0.0  # of every 3x3 neighbourhood; float64, for the covariance is to be inverted
    for rows in strips(h - BLOCK + 1, size * n * w):
        near = F.unfold(band[..., rows.start : rows.stop + BLOCK - 1, :], BLOCK).double()
        mean, power = mean + near.sum(-1) / count, power + near @ near.mT / count
    covariance = power - mean[:, :, None] * mean[:, None]
    inverse = torch.linalg.pinv(covariance, hermitian=True).to(band)
    blocks = F.unfold(band, BLOCK, stride=BLOCK)
    strength = (inverse @ blocks * blocks).sum(1) / size
    return strength.reshape(n, 1, h // BLOCK, w // BLOCK), torch.linalg.eigvalsh(covariance).to(band).clamp(
        min=0
    )


def _channel(ref: Tensor, dist: Tensor, side: int, edge: int) -> tuple[Tensor, Tensor]:
    """Gain and noise variance of dist = gain · ref + noise in windows around all blocks but `edge` at each side."""
    start = edge * BLOCK + BLOCK // 2 - side // 2
    end = [n - (edge + 1) * BLOCK + BLOCK // 2 + side // 2 + 1 for n in ref.shape[-2:]]
    ref, dist = (x[..., start : end[0], start : end[1]] for x in (ref, dist))
    maps = torch.cat((ref, dist, ref * ref, dist * dist, ref * dist), 1)
    maps = F.avg_pool2d(maps, (side, 1), (BLOCK, 1))
    maps = F.avg_pool2d(maps, (1, side), (1, BLOCK))
    mx, my, xx, yy, xy = maps.split(1, 1)
    area = side * side
    var_ref, var_dist = ((xx - mx * mx) * area).clamp(min=0), ((yy - my * my) * area).clamp(min=0)
    cov = (xy - mx * my) * area
    gain = cov / (var_ref + FLAT)
    noise = (var_dist - gain * cov) / area
    seen, alive = var_ref >= FLAT, var_dist >= FLAT
    gain, noise = torch.where(seen, gain, 0.0), torch.where(seen, noise, var_dist)
    gain, noise = torch.where(alive, gain, 0.0), torch.where(alive, noise, 0.0)
    noise = torch.where(gain < 0, var_dist, noise).clamp(min=FLAT)
    return gain.clamp(min=0), noise
