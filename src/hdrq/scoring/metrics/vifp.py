"""Visual information fidelity, in pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.filters import slide, strips, window
from hdrq.scoring.features.information import distortion_channel, information_ratio, refuse_inverted
from hdrq.scoring.features.similarity import gaussian_taps

# variance of the visual noise, code²
NOISE = 2.0
# variances below count as none
FLAT = 1e-10
# windows from the finest scale on, sd a fifth of each
SIZES = (17, 9, 5, 3)


@metric(
    Card(
        title="Visual information fidelity, in pixels",
        unit="1",
        better="higher",
        span=(0, None),
        reads="code",
        codes=True,
        grey=True,
        best=1.0,
        side=41,
        planes=8,
        source="Sheikh, Bovik, IEEE TIP 2006, doi:10.1109/TIP.2005.859378; their pixel-domain program",
    )
)
def vifp(ref: Tensor, dist: Tensor) -> Tensor:
    """Information the test image keeps over what the reference has, four scales; above 1 for more contrast.

    A flat reference carries no information to compare with: 1 where the test image is the
    same, else 0.
    """
    first_ref, first_dist = ref, dist
    dist_nats, ref_nats = torch.zeros_like(ref[:, 0, 0, 0]), torch.zeros_like(ref[:, 0, 0, 0])
    for scale, size in enumerate(SIZES):
        taps = gaussian_taps(size, size / 5)
        if scale:
            ref, dist = (slide(slide(x, taps, -2)[..., ::2, :], taps, -1)[..., ::2] for x in (ref, dist))
        for part in _information(ref, dist, taps):
            dist_nats, ref_nats = dist_nats + part[0], ref_nats + part[1]
    return information_ratio(dist_nats, ref_nats, first_ref, first_dist)


def _information(ref: Tensor, dist: Tensor, taps: tuple[float, ...]) -> list[tuple[Tensor, Tensor]]:
    """Information in the test image and in the reference, nats, (N,) each, of every strip of rows."""
    n, c, h, w = ref.shape
    more = len(taps) - 1
    # taken off for float32's sake
    middle = ref.mean((-2, -1), keepdim=True).detach()
    found = []
    for rows in strips(h - more, 5 * n * c * w, ref, more):
        x = ref[..., rows.start : rows.stop + more, :] - middle
        y = dist[..., rows.start : rows.stop + more, :] - middle
        mx, my, xx, yy, xy = window(torch.stack((x, y, x * x, y * y, x * y)), taps).unbind()
        found.append(_channel(xx - mx * mx, yy - my * my, xy - mx * my))
    return found


def _channel(var_ref: Tensor, var_dist: Tensor, cov: Tensor) -> tuple[Tensor, Tensor]:
    """Information through the channel dist = gain · ref + noise, and past it, summed over pixels."""
    var_ref, var_dist = var_ref.clamp(min=0), var_dist.clamp(min=0)
    gain, noise = distortion_channel(var_ref, var_dist, cov, FLAT)
    gain, noise = refuse_inverted(gain, noise, var_dist, FLAT)
    var_ref = torch.where(var_ref >= FLAT, var_ref, 0.0)
    dist_nats = torch.log1p(gain * gain * var_ref / (noise + NOISE))
    return dist_nats.sum((1, 2, 3)), torch.log1p(var_ref / NOISE).sum((1, 2, 3))
