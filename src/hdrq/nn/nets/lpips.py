"""LPIPS: differences of unit-normalised deep features with channel weights.

Source  Zhang, Isola, Efros, Shechtman & Wang, CVPR 2018, doi:10.1109/CVPR.2018.00068
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hdrq.nn.keys import drop, duplicates, rename
from hdrq.nn.layers import alexnet, squeezenet, vgg
from hdrq.nn.layers.deep_distance import ENTRANCE, DeepDistance, witness
from hdrq.nn.net import Layout, Net

Trunk = Literal["alex", "vgg", "squeeze"]
WIDTHS = {"alex": alexnet.WIDTHS, "vgg": vgg.widths(), "squeeze": squeezenet.WIDTHS}
_TRUNKS: dict[str, Callable[[], Any]] = {"alex": alexnet.Trunk, "vgg": vgg.Trunk, "squeeze": squeezenet.Trunk}


class Lpips(DeepDistance):
    """A backbone, and one weight per channel of each of its stages.

    version  "0.1", or "0.0", whose backbone reads [-1, 1]
    """

    def __init__(self, trunk: Trunk = "alex", version: Literal["0.0", "0.1"] = "0.1") -> None:
        super().__init__(_TRUNKS[trunk](), WIDTHS[trunk])
        self.intake = "imagenet" if version == "0.1" else "half"


# The authors' module registers every head twice, their small published files once.
_TWICE = duplicates(("lin{k}.model.1.weight", "lins.{k}.model.1.weight"), "heads.{k}")
_ONCE = rename("lin{k}.model.1.weight", "heads.{k}")
_CONVS = {
    "vgg": (vgg.numbered_by_stage("net.slice"), vgg.torchvision("features.", "trunk.convs.")),
    "alex": (alexnet.numbered_by_stage("net.slice"), alexnet.torchvision()),
    "squeeze": (squeezenet.numbered_by_stage("net.slice"), squeezenet.torchvision()),
}
# keys that identify the backbone; those of AlexNet's second convolution also occur in VGG
_MARKS = {
    "vgg": ("net.slice5.28.weight", "features.28.weight"),
    "alex": ("net.slice2.3.weight", "features.10.weight"),
    "squeeze": ("net.slice7.12.squeeze.weight", "features.12.squeeze.weight"),
}


def _layouts(trunk: str) -> tuple[Layout, ...]:
    """Layouts of the complete module, with one or both names of a head, and of heads with torchvision's backbone."""
    staged, plain = _CONVS[trunk]
    whole, backbone = _MARKS[trunk]
    last = len(WIDTHS[trunk]) - 1
    head = f"lin{last}.model.1.weight"
    fixed: Mapping[str, Any] = {"trunk": trunk}
    twice = (*ENTRANCE, *staged, _TWICE)
    once = (*ENTRANCE, *staged, _ONCE)
    both = (*plain, _ONCE, drop("classifier.{k}.{leaf}"))
    return (
        Layout(f"lpips-{trunk}", (whole, f"lins.{last}.model.1.weight"), twice, fixed=fixed, encoding="srgb"),
        Layout(f"lpips-{trunk}-plain", (whole, head), once, fixed=fixed, encoding="srgb"),
        Layout(f"lpips-{trunk}-torchvision", (backbone, head), both, fixed=fixed, encoding="srgb"),
    )


lpips = Net(
    name="lpips",
    source="Zhang et al. 2018, doi:10.1109/CVPR.2018.00068",
    build=Lpips,
    layouts=(*_layouts("vgg"), *_layouts("squeeze"), *_layouts("alex")),
    witness=witness,
    head=("heads",),
    training={"input": "crops", "crop": 224, "batch": 4},
)
