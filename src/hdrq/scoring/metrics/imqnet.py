"""IMQNet: a fast no-reference metric of photographs, trained on the scores of larger networks."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.nn.network_input import scaled_input


@metric(
    Card(
        title="IMQNet, two branches for noise and for content",
        unit="1",
        better="higher",
        span=(None, None),
        reads="code",
        reference=None,
        source="Ponomarenko, Bahnemiri, Egiazarian et al. 2022; layer widths, which are not published, chosen here",
        needs=("net",),
        side=64,
        planes=60,
        net="imqnet",
    )
)
def imqnet(image: Tensor, *, net: Any) -> Tensor:
    """Opinion in the unit of what the weights were taught."""
    result: Tensor = net(scaled_input(image.to(next(net.parameters())), net)).to(image)
    return result
