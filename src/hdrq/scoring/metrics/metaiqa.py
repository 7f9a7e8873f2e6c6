"""MetaIQA: quality from the image alone, by a network that learned to learn distortions."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.resize import linear_resize
from hdrq.nn.network_input import scaled_input

# pixels
_SIDE = 224


@metric(
    Card(
        title="MetaIQA, meta-learned quality",
        unit="1",
        better="higher",
        span=(0.0, 1.0),
        reads="code",
        reference=None,
        source="doi:10.1109/CVPR42600.2020.01415",
        needs=("net",),
        side=8,
        planes=15,
        net="metaiqa",
    )
)
def metaiqa(image: Tensor, *, net: Any) -> Reading:
    """Quality 0..1 of the image resized to 224x224 regardless of its shape, as in the authors' program; `q` of 100."""
    q = net(scaled_input(linear_resize(image, (_SIDE, _SIDE)).to(next(net.parameters())), net)).to(image)
    return Reading(q, None, {"q": 100 * q})
