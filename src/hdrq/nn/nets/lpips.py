"""LPIPS: differences of unit-normalised deep features, weighted channel by channel.

Source  Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018, doi:10.1109/CVPR.2018.00068
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hdrq.nn.keys import Rule, constant, drop, rename, twins
from hdrq.nn.layers import alexnet, squeezenet, vgg
from hdrq.nn.net import Layout, Net, pattern

Trunk = Literal["alex", "vgg", "squeeze"]
WIDTHS = {"alex": alexnet.WIDTHS, "vgg": vgg.widths(), "squeeze": squeezenet.WIDTHS}
_TRUNKS: dict[str, Callable[[], Any]] = {"alex": alexnet.Trunk, "vgg": vgg.Trunk, "squeeze": squeezenet.Trunk}
_TINY = 1e-10  # added to the length of a feature vector
# The authors shift and scale [-1, 1]; on [0, 1] that is ImageNet's mean and standard deviation.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """A trunk, and one weight per channel of each of its stages.

    version  "0.1", or "0.0", whose trunk reads [-1, 1]
    """

    def __init__(self, trunk: Trunk = "alex", version: Literal["0.0", "0.1"] = "0.1") -> None:
        super().__init__()
        self.intake = "imagenet" if version == "0.1" else "half"
        self.trunk = _TRUNKS[trunk]()
        self.heads = nn.ParameterList(torch.zeros(1, width, 1, 1) for width in WIDTHS[trunk])

    def maps(self, ref: Tensor, dist: Tensor) -> list[Tensor]:
        """What each stage finds, (B, 1, h, w), from (B, 3, H, W) as `intake` says."""
        stages = zip(self.heads, self.trunk.stages(ref), self.trunk.stages(dist))
        return [((_unit(a) - _unit(b)).square() * head).sum(1, keepdim=True) for head, a, b in stages]

    def forward(self, ref: Tensor, dist: Tensor) -> Tensor:
        """The distance, (B,): mean over space, sum over stages."""
        return torch.stack([m.mean((1, 2, 3)) for m in self.maps(ref, dist)]).sum(0)


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + _TINY)


_ENTRANCE: tuple[Rule, ...] = tuple(
    constant(f"scaling_layer.{name}", torch.tensor(value).reshape(1, 3, 1, 1))
    for name, value in (("shift", _SHIFT), ("scale", _SCALE))
)
# Every head is registered twice in the authors' module, and once in the small files they publish.
_TWICE = twins(("lin{k}.model.1.weight", "lins.{k}.model.1.weight"), "heads.{k}")
_ONCE = rename("lin{k}.model.1.weight", "heads.{k}")
_CONVS = {
    "vgg": (vgg.staged("net.slice"), vgg.torchvision("features.", "trunk.convs.")),
    "alex": (alexnet.staged("net.slice"), alexnet.torchvision()),
    "squeeze": (squeezenet.staged("net.slice"), squeezenet.torchvision()),
}
_MARKS = {  # a key and one only this trunk has; the keys of AlexNet's second convolution are VGG's too
    "vgg": ("net.slice5.28.weight", "features.28.weight"),
    "alex": ("net.slice2.3.weight", "features.10.weight"),
    "squeeze": ("net.slice7.12.squeeze.weight", "features.12.squeeze.weight"),
}


def _layouts(trunk: str) -> tuple[Layout, ...]:
    """The authors' whole module, with both names of a head or one; and heads with torchvision's backbone."""
    staged, plain = _CONVS[trunk]
    whole, backbone = _MARKS[trunk]
    last = len(WIDTHS[trunk]) - 1
    head = f"lin{last}.model.1.weight"
    fixed: Mapping[str, Any] = {"trunk": trunk}
    twice = (*_ENTRANCE, *staged, _TWICE)
    once = (*_ENTRANCE, *staged, _ONCE)
    both = (*plain, _ONCE, drop("classifier.{k}.{leaf}"))
    return (
        Layout(f"lpips-{trunk}", (whole, f"lins.{last}.model.1.weight"), twice, fixed=fixed, encoding="srgb"),
        Layout(f"lpips-{trunk}-plain", (whole, head), once, fixed=fixed, encoding="srgb"),
        Layout(f"lpips-{trunk}-torchvision", (backbone, head), both, fixed=fixed, encoding="srgb"),
    )


def _witness(net: nn.Module) -> Tensor:
    ref, dist = pattern(2, 1, 3, 64, 64).unbind()
    result: Tensor = net(ref * 4 - 2, dist * 4 - 2)[0]
    return result


lpips = Net(
    name="lpips",
    build=Lpips,
    layouts=(*_layouts("vgg"), *_layouts("squeeze"), *_layouts("alex")),
    witness=_witness,
    head=("heads",),
    training={"input": "crops", "crop": 224, "batch": 4},
)
