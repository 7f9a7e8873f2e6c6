"""ResNet-50 with torchvision's names, with or without its classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hdrq.nn.keys import rename
from hdrq.nn.layers.resnet import Bottleneck, ResNet
from hdrq.nn.net import Layout, Net, mix, pattern


def _build(classes: int = 1000) -> ResNet:
    return ResNet(Bottleneck, (3, 4, 6, 3), classes)


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"classes": state["fc.weight"].shape[0] if "fc.weight" in state else 0}


resnet50 = Net(
    name="resnet50",
    source="He et al. 2016, doi:10.1109/CVPR.2016.90; layers of torchvision",
    build=_build,
    layouts=(
        # timm uses the same names
        Layout(
            "torchvision", ("layer1.0.conv3.weight",), (rename("{key}", "{key}"),), _options, encoding="srgb"
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 64, 64) * 4 - 2)),
)
