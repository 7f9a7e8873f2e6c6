"""Visual information fidelity."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.scoring.features.information import SIDE as BLOCK
from hdrq.scoring.features.information import (
    distortion_channel,
    information_ratio,
    moments,
    refuse_inverted,
    strength,
)
from hdrq.scoring.features.steerable import decompose

# the two of sp5's six orientations that the authors take
LEVELS, ORIENTATIONS = 4, (0, 3)
# variance of the visual noise, code²
NOISE = 0.4
FLAT = 1e-15
# nats per pixel; below is rounding of a flat frame
DARK = 1e-9


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
        planes=24,
        source="Sheikh, Bovik, IEEE TIP 2006, doi:10.1109/TIP.2005.859378",
    )
)
def vif(ref: Tensor, dist: Tensor) -> Tensor:
    """Information the test image keeps over information in the reference, in eight wavelet bands.

    Bands of a steerable pyramid (sp5, four levels); natural images as a Gaussian scale mixture of 3x3 blocks.
    Above 1 for more contrast. A flat reference carries no information to compare with:
    1 where the test image is the same, else 0.
    """
    dist_nats, ref_nats = torch.zeros_like(ref[:, 0, 0, 0]), torch.zeros_like(ref[:, 0, 0, 0])
    refs, dists = (decompose(x, LEVELS, "sp5", ORIENTATIONS)[1:-1] for x in (ref, dist))
    for level, (x, y) in enumerate(zip(refs, dists)):
        for b in range(len(ORIENTATIONS)):
            part = _information(x[:, b : b + 1], y[:, b : b + 1], 2 ** (LEVELS - level) + 1)
            dist_nats, ref_nats = dist_nats + part[0], ref_nats + part[1]
    return information_ratio(dist_nats, ref_nats, ref, dist, DARK * ref.shape[-2] * ref.shape[-1])


def _information(ref: Tensor, dist: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Information retained and information of the reference, nats, (N,) each, of one band in windows of `side` pixels."""
    h, w = (n // BLOCK * BLOCK for n in ref.shape[-2:])
    ref, dist = ref[..., :h, :w], dist[..., :h, :w]
    mean, power = moments(ref)
    covariance = power - mean[:, :, None] * mean[:, None]
    variances = torch.linalg.eigvalsh(covariance).clamp(min=0).to(ref)
    # blocks whose window would leave the band
    edge = -(-(side // 2) // BLOCK)
    local = strength(ref, covariance, stride=BLOCK)
    local = local[..., edge : local.shape[-2] - edge, edge : local.shape[-1] - edge]
    gain, noise = _channel(ref, dist, side, edge)
    clear, through = local / NOISE, gain * gain * local / (noise + NOISE)
    dist_nats, ref_nats = torch.zeros_like(local), torch.zeros_like(local)
    for v in variances.unbind(1):
        v = v.reshape(-1, 1, 1, 1)
        dist_nats, ref_nats = dist_nats + torch.log1p(through * v), ref_nats + torch.log1p(clear * v)
    return dist_nats.sum((1, 2, 3)), ref_nats.sum((1, 2, 3))


def _channel(ref: Tensor, dist: Tensor, side: int, edge: int) -> tuple[Tensor, Tensor]:
    """Gain and noise variance of dist = gain · ref + noise around all blocks but `edge` at each side."""
    start = edge * BLOCK + BLOCK // 2 - side // 2
    end = [n - (edge + 1) * BLOCK + BLOCK // 2 + side // 2 + 1 for n in ref.shape[-2:]]
    ref, dist = (x[..., start : end[0], start : end[1]] for x in (ref, dist))
    mx, my, xx, yy, xy = (_means(x, side) for x in (ref, dist, ref * ref, dist * dist, ref * dist))
    area = side * side
    var_ref, var_dist = ((xx - mx * mx) * area).clamp(min=0), ((yy - my * my) * area).clamp(min=0)
    cov = (xy - mx * my) * area
    gain, noise = distortion_channel(var_ref, var_dist, cov, FLAT, area)
    return refuse_inverted(gain, noise, var_dist, FLAT)


def _means(x: Tensor, side: int) -> Tensor:
    """Mean over windows of `side` pixels, one every block; far faster on a CPU than avg_pool2d."""
    down, across = ((n - side) // BLOCK * BLOCK + 1 for n in x.shape[-2:])
    first, *rows = (x[..., k : k + down : BLOCK, :] for k in range(side))
    x = first.clone()
    for row in rows:
        x.add_(row)
    first, *columns = (x[..., k : k + across : BLOCK] for k in range(side))
    x = first.clone()
    for column in columns:
        x.add_(column)
    return x / (side * side)
