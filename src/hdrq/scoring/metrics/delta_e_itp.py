"""ΔE ITP, the colour difference of BT.2124."""

from __future__ import annotations

from torch import Tensor

from hdrq.cards import Reading, metric
from hdrq.records import BT709, Primaries
from hdrq.scoring.features.color_difference import card, euclidean, ictcp, read
from hdrq.scoring.features.pixel_errors import Pool

# makes 1 a just noticeable difference where the eye is most sensitive
SCALE = 720.0
CT_TO_T = 0.5


@metric(
    card(
        title="ΔE ITP, the colour difference of BT.2124",
        unit="ΔE ITP",
        source="ITU-R BT.2124-0 (2019)",
    )
)
def delta_e_itp(ref: Tensor, dist: Tensor, *, pool: Pool = "mean", primaries: Primaries = BT709) -> Reading:
    """720 root(dI² + dT² + dP²) of displayed light in ICtCp with PQ, T = Ct / 2; 1 is just noticeable at best adaptation.

    ref, dist  (N, C, H, W), cd/m² as the display emits it, in `primaries`; one channel is the luminance of grey
    pool       of the pixels: mean, rms, median, p95, p99 (on straight lines between sorted values) or max
    map        the difference of every pixel
    No white is assumed. The curve of PQ is extended above 10 000 cd/m².
    """
    return read(_difference, ictcp(ref, primaries), ictcp(dist, primaries), pool)


def _difference(ref: Tensor, dist: Tensor) -> Tensor:
    weights = ref.new_tensor([1.0, CT_TO_T, 1.0]).view(1, 3, 1, 1) * SCALE
    return euclidean(ref * weights, dist * weights)
