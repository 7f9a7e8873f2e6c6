"""Normalised Laplacian pyramid distance (2016), of grey code."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.scoring.features.normalized_laplacian import distances, normalized_2016


@metric(
    Card(
        title="Normalised Laplacian pyramid distance (2016), of grey code",
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="code",
        grey=True,
        planes=20,
        source="Laparra, Ballé, Berardino, Simoncelli, HVEI 2016, doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103",
    )
)
def nlpd_2016(ref: Tensor, dist: Tensor) -> Reading:
    """Root mean square differences of six band-pass images divided by local contrast, averaged over the bands.

    ref, dist  (N, 1, H, W), code 0..1
    extra      band1, band2, ...: root mean square difference of each band, fine to coarse
    For light in cd/m² there is nlpd, the metric of 2017.
    """
    found = distances(normalized_2016(ref), normalized_2016(dist)).mean(2)
    return Reading(found.mean(0), None, {f"band{k}": d for k, d in enumerate(found, 1)})
