"""KonCept512: predicted MOS of photographs with authentic distortions, without a reference."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.resize import imresize
from hdrq.nn.network_input import scaled_input

# (height, width) that the weights were trained at
_SIZE = (384, 512)


@metric(
    Card(
        title="KonCept512, predicted MOS of photographs",
        unit="MOS",
        better="higher",
        span=(None, None),
        reads="code",
        reference=None,
        source="doi:10.1109/TIP.2020.2967829",
        needs=("net",),
        side=75,
        planes=60,
        net="koncept512",
    )
)
def koncept512(image: Tensor, *, net: Any, fit: bool = False) -> Tensor:
    """Opinion on a scale of about 0 to 100.

    fit  resize to 512x384 first, the size of its training; otherwise the image keeps its size
    """
    if fit and tuple(image.shape[-2:]) != _SIZE:
        image = imresize(image, size=_SIZE).clamp(min=0)
    result: Tensor = net(scaled_input(image.to(next(net.parameters())), net)).to(image)
    return result
