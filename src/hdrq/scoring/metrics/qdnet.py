"""QD-net: quality of a tone-mapped image, taken apart from its content."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.nn.network_input import scaled_input


@metric(
    Card(
        title="QD-net, disentangled quality of tone-mapped images",
        unit="1",
        better="higher",
        span=(None, None),
        reads="code",
        reference=None,
        source="Wang et al. 2021 (blind quality assessment of tone-mapped images by disentangled representation); "
        "widths and loss weights, which are not published, chosen here",
        needs=("net",),
        side=64,
        planes=80,
        net="qdnet",
    )
)
def qdnet(image: Tensor, *, net: Any) -> Tensor:
    """Quality by the mean of its code, about 0..1."""
    result: Tensor = net(scaled_input(image.to(next(net.parameters())), net)).to(image)
    return result
