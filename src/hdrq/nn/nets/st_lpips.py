"""ST-LPIPS: LPIPS with backbones that are nearly invariant to shifts of one pixel.

Source  Ghildyal & Liu, ECCV 2022, doi:10.1007/978-3-031-19797-0_6
"""

from __future__ import annotations

from typing import Literal

from hdrq.nn.keys import rename
from hdrq.nn.layers import alexnet, vgg
from hdrq.nn.layers.deep_distance import ENTRANCE, DeepDistance, witness
from hdrq.nn.layers.shift_tolerant import AlexTrunk, VggTrunk, alex_rules, vgg_rules
from hdrq.nn.net import Layout, Net

Trunk = Literal["alex", "vgg"]


class StLpips(DeepDistance):
    """Five stages of an anti-aliased backbone, trained together with the channel weights."""

    def __init__(self, trunk: Trunk = "alex") -> None:
        if trunk == "alex":
            super().__init__(AlexTrunk(), alexnet.WIDTHS)
        else:
            super().__init__(VggTrunk(), vgg.widths())


_HEADS = rename("lin{k}.model.1.weight", "heads.{k}")

st_lpips = Net(
    name="st-lpips",
    source="Ghildyal & Liu 2022, doi:10.1007/978-3-031-19797-0_6",
    build=StLpips,
    layouts=(
        Layout(
            "st-lpips-alex",
            ("net.slice1.1.filt", "lin4.model.1.weight"),
            (*ENTRANCE, *alex_rules(), _HEADS),
            fixed={"trunk": "alex"},
            encoding="srgb",
        ),
        Layout(
            "st-lpips-vgg",
            ("net.slice2.5.filt", "lin4.model.1.weight"),
            (*ENTRANCE, *vgg_rules(), _HEADS),
            fixed={"trunk": "vgg"},
            encoding="srgb",
        ),
    ),
    witness=witness,
    side=32,
    head=("heads",),
    training={"input": "crops", "crop": 224, "batch": 4},
)
