"""What metrics make of a network's output: the share of the best quality."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, Reading
from hdrq.scoring.calibration import anchored

_LEAST = 1e-6  # keeps the quotient finite


def share_card(
    title: str, source: str, net: str, *, side: int, planes: float, reference: str | None = ""
) -> Card:
    """Of a network of the NoR-VDPNet family, which was trained on scores of another metric brought to 0 .. 1."""
    return Card(
        title=title,
        unit="1",
        better="higher",
        span=(0.0, 1.0),
        reads="code",
        reference=reference,
        source=source,
        needs=("net", "encoding"),
        side=side,
        planes=planes,
        net=net,
    )


def share(net: Any, *views: Tensor, like: Tensor) -> Reading:
    """Share of the best quality that the network gives its views, in the type of `like`; `q` is the same out of 100.

    Of two views and weights that hdrq distilled, relative to the share of the reference against itself, and at most 1.
    """
    weights = next(net.parameters())
    seen = [view.to(weights) for view in views]
    value = net(*seen)
    if len(seen) == 2 and anchored(net):
        value = (value / net(seen[0], seen[0]).clamp(min=_LEAST)).clamp(max=1)
    value = value.to(like)
    return Reading(value, None, {"q": 100 * value})
