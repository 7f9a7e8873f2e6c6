"""KonCept512: predicted MOS of photographs with authentic distortions, 0..100, by Inception-ResNet-v2.

Source  Hosu, Lin, Sziranyi & Saupe, IEEE TIP 2020, doi:10.1109/TIP.2020.2967829; the layout is that of the
PyTorch port ZhengyuZhao/koniq-PyTorch, whose pooling covers only the top left 8x8 cells.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename
from hdrq.nn.layers.inception_resnet import WIDTH, InceptionResNet
from hdrq.nn.net import Layout, Net, pattern
from hdrq.nn.network_input import Convention


class Koncept512(nn.Module):
    """(B, 3, H, W) in [-1, 1], trained at 512x384, to (B,) predicted MOS.

    pooling  "global" (the paper and Keras), or "corner": the mean of the top left 8x8 cells, as in the port
    """

    def __init__(self, pooling: Literal["global", "corner"] = "global") -> None:
        super().__init__()
        self.intake: Convention = "half"
        self.pooling = pooling
        self.body = InceptionResNet()
        layers: list[nn.Module] = []
        for entering, width, dropout in ((WIDTH, 2048, 0.25), (2048, 1024, 0.25), (1024, 256, 0.5)):
            layers += [nn.Linear(entering, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(256, 1))

    def forward(self, x: Tensor) -> Tensor:
        found = self.body(x)
        corner = self.pooling == "corner" and min(found.shape[-2:]) >= 8
        pooled = F.avg_pool2d(found[..., :8, :8], 8).flatten(1) if corner else found.mean((2, 3))
        result: Tensor = self.head(pooled)[:, 0]
        return result


def _mixed(theirs: str, ours: str, single: tuple[int, ...], shifted: int | None = None) -> tuple[Rule, ...]:
    """Rules for branches; `single` ones are not lists there, and one may begin with pooling."""
    rules = [
        rename(f"{theirs}.branch{b}.{{part}}.{{leaf}}", f"{ours}.branches.{b}.0.{{part}}.{{leaf}}")
        for b in single
    ]
    if shifted is not None:
        rules.append(
            rename(
                f"{theirs}.branch{shifted}.1.{{part}}.{{leaf}}",
                f"{ours}.branches.{shifted}.0.{{part}}.{{leaf}}",
            )
        )
    for b in range(4):
        if b not in single and b != shifted:
            rules.append(
                rename(
                    f"{theirs}.branch{b}.{{u}}.{{part}}.{{leaf}}",
                    f"{ours}.branches.{b}.{{u}}.{{part}}.{{leaf}}",
                )
            )
    return tuple(rules)


def _residual(theirs: str, ours: str) -> tuple[Rule, ...]:
    return (
        *_mixed(theirs, f"{ours}.inner", (0,)),
        rename(f"{theirs}.conv2d.{{leaf}}", f"{ours}.mix.{{leaf}}"),
    )


_TABLE: tuple[Rule, ...] = (
    *(
        rename(f"base.{theirs}.{{part}}.{{leaf}}", f"body.stem.{ours}.{{part}}.{{leaf}}")
        for ours, theirs in enumerate((0, 1, 2, 4, 5))
    ),
    *_mixed("base.7", "body.mixed_5b", (0,), 3),
    *_residual("base.8.{i}", "body.blocks_35.{i}"),
    *_mixed("base.9", "body.mixed_6a", (0,)),
    *_residual("base.10.{i}", "body.blocks_17.{i}"),
    *_mixed("base.11", "body.mixed_7a", ()),
    *_residual("base.12.{i}", "body.blocks_8.{i}"),
    *_residual("base.13", "body.block_8"),
    rename("base.14.{part}.{leaf}", "body.conv_7b.{part}.{leaf}"),
    rename("fc.{k}.{leaf}", "head.{k}.{leaf}"),
)

# Indices of the port's head (four times Linear, ReLU, BatchNorm, Dropout) equal ours.
koncept512 = Net(
    name="koncept512",
    source="Hosu et al. 2020, doi:10.1109/TIP.2020.2967829; layout of ZhengyuZhao/koniq-PyTorch",
    build=Koncept512,
    layouts=(
        Layout(
            name="koniq-pytorch",
            marks=("base.7.branch3.1.conv.weight", "fc.12.weight"),
            table=_TABLE,
            fixed={"pooling": "corner"},
            encoding="srgb",
        ),
    ),
    witness=lambda net: net(pattern(1, 3, 160, 192) * 2 - 1),
    side=96,
    training={"input": "resized", "crop": 384, "aspect": 4 / 3, "batch": 8, "loss": {"mse": 1.0}},
)
