"""nr: quality of a photograph from the photograph alone."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from hdrq.cards import Card, metric
from hdrq.image.resize import imresize
from hdrq.nn.network_input import scaled_input

# pixels; the photographs of the training are 512 x 512
_SHORTER = 512


@metric(
    Card(
        title="Predicted MOS of a photograph",
        unit="1",
        better="higher",
        span=(None, None),
        reads="code",
        reference=None,
        light="reinhard",
        source="this project, see bench/train_nr.py; trained on BIQ2021, doi:10.1007/s11042-021-11677-1",
        needs=("net",),
        side=64,
        planes=80,
        net="nr",
    )
)
def nr(image: Tensor, *, net: Any) -> Tensor:
    """Mean opinion score on BIQ2021's scale, about 0 (worst) to 1 (best).

    The shorter side is reduced to 512 pixels first; smaller images keep their size.
    """
    shorter = min(image.shape[-2:])
    if shorter > _SHORTER:
        h, w = (round(n * _SHORTER / shorter) for n in image.shape[-2:])
        image = imresize(image, size=(h, w)).clamp(0, 1)
    ready = scaled_input(image.to(net.linear.weight), net)
    result: Tensor = net(ready).to(image)
    return result
