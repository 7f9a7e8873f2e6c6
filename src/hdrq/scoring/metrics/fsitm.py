"""FSITM: share of pixels whose local phase survives tone mapping."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.phase import agreement


@metric(
    Card(
        title="Feature similarity index for tone-mapped images",
        unit="1",
        better="higher",
        span=(0, 1),
        reads="srgb",
        reference="linear",
        side=8,
        planes=80,
        trainable=False,
        source="Nafchi, Shahkolaei, Farrahi Moghaddam, Cheriet 2015, doi:10.1109/LSP.2014.2381458",
    )
)
def fsitm(ref: Tensor, dist: Tensor) -> Reading:
    """Mean over the channels; `extra` has R, G and B by themselves, as the authors report them.

    ref   linear light in any unit; dist  sRGB code 0..1
    map   share of the channels that agree
    Signs are compared, so there is no gradient.
    """
    alike = agreement(ref.detach(), 255 * dist.detach()).to(dist)
    channels = alike.mean((2, 3))
    parts = dict(zip("RGB", channels.unbind(1))) if channels.shape[1] == 3 else {}
    return Reading(channels.mean(1), alike.mean(1, keepdim=True), parts)
