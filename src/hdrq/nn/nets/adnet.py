"""ADNet: three exposures merged by attention to codes and deformable alignment of light.

Source  Liu, Lin, Li, Rao, Jiang, Han, Fan, Sun & Liu, CVPR workshops 2021, doi:10.1109/CVPRW53098.2021.00057
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, code_and_aligned_code, tiled
from hdrq.nn.keys import Rule, rename
from hdrq.nn.layers.deformable import SLOPE as PYRAMID_SLOPE
from hdrq.nn.layers.deformable import PyramidAlignment
from hdrq.nn.layers.dilated_dense import SLOPE, Attention, DenseBlocks, dense_options, dense_rules
from hdrq.nn.net import Layout, Net, mix, pattern

_BLOCKS = 3
# of the code in its training
_GAMMA = 2.24
# pixels of context around a tile; displacements may read farther
_REACH = 128


class Pyramid(nn.Module):
    """Features at full, half and quarter size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, width, 1)
        self.residual = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.down = nn.ModuleList(
            nn.ModuleList([nn.Conv2d(width, width, 3, 2, 1), nn.Conv2d(width, width, 3, 1, 1)])
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.leaky_relu(self.enter(x), PYRAMID_SLOPE)
        found = [x + self.residual[1](F.relu(self.residual[0](x)))]
        for step in self.down:
            x = found[-1]
            for conv in step:  # type: ignore[attr-defined]
                x = F.leaky_relu(conv(x), PYRAMID_SLOPE)
            found.append(x)
        return found


class AdNet(nn.Module):
    """(B, 3, 6, H, W), code and aligned code of short, middle and long frame, to light (B, 3, H, W); sides are multiples of 4.

    width   channels of the features;  growth  channels that a layer of a dense block adds;  layers  of a block
    groups  of channels with displacements of their own
    """

    def __init__(self, width: int = 64, growth: int = 32, layers: int = 5, groups: int = 8) -> None:
        super().__init__()
        self.pyramid = Pyramid(width)
        self.align = PyramidAlignment(width, groups)
        self.encode = nn.Conv2d(3, width, 3, padding=1)
        self.attend_short = Attention(width)
        self.attend_long = Attention(width)
        self.gather = nn.Conv2d(6 * width, width, 3, padding=1)
        self.blocks = DenseBlocks(_BLOCKS, width, layers, growth)
        self.join = nn.Conv2d(_BLOCKS * width, width, 1)
        self.smooth = nn.Conv2d(width, width, 3, padding=1)
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.end = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        short, middle, long = (self.pyramid(frames[:, k, 3:]) for k in range(3))
        codes = [F.relu(self.encode(frames[:, k, :3])) for k in range(3)]
        codes[0] = codes[0] * self.attend_short(codes[0], codes[1])
        codes[2] = codes[2] * self.attend_long(codes[2], codes[1])
        aligned = self.align(short, middle), middle[0], self.align(long, middle)
        x = self.gather(torch.cat([part for pair in zip(aligned, codes) for part in pair], 1))
        x = self.smooth(self.join(self.blocks(x))) + middle[0]
        return F.relu(self.end(F.leaky_relu(self.refine(x), SLOPE)))


def merge(net: nn.Module, frames: Tensor, seconds: Tensor) -> Tensor:
    """Radiance of the middle frame's scene; the network's 1 is the white of the middle frame."""
    light = tiled(net, code_and_aligned_code(frames, seconds, _GAMMA), side=384, margin=_REACH, multiple=4)
    return light[0] / seconds[1].to(light)


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    predicted = state["align_module.cas_dcnpack.conv_offset_mask.weight"].shape[0]
    return {
        "width": state["feat_exract.0.weight"].shape[0],
        **dense_options(state),
        "groups": predicted // 27,
    }


def _deformable(theirs: str, ours: str) -> tuple[Rule, ...]:
    return (
        rename(f"{theirs}.conv_offset_mask.{{leaf}}", f"{ours}.predict.{{leaf}}"),
        rename(f"{theirs}.{{leaf}}", f"{ours}.{{leaf}}"),
    )


def _level(theirs: str, ours: str, convs: tuple[str, ...]) -> tuple[Rule, ...]:
    return (
        *(
            rename(f"align_module.{theirs}_offset_conv{k + 1}.{{leaf}}", f"align.{ours}.{name}.{{leaf}}")
            for k, name in enumerate(convs)
        ),
        *_deformable(f"align_module.{theirs}_dcnpack", f"align.{ours}.align"),
    )


adnet = Net(
    name="adnet",
    source="Liu et al. 2021, doi:10.1109/CVPRW53098.2021.00057",
    build=AdNet,
    layouts=(
        Layout(
            name="adnet",
            marks=("pyramid_feats.conv1.0.weight", "align_module.cas_dcnpack.weight", "feat_exract.0.weight"),
            table=(
                rename("pyramid_feats.conv1.0.{leaf}", "pyramid.enter.{leaf}"),
                *(
                    rename(
                        f"pyramid_feats.feature_extraction.0.conv{k + 1}.{{leaf}}",
                        f"pyramid.residual.{k}.{{leaf}}",
                    )
                    for k in range(2)
                ),
                *(
                    rename(
                        f"pyramid_feats.downsample{s + 1}.{2 * k}.{{leaf}}", f"pyramid.down.{s}.{k}.{{leaf}}"
                    )
                    for s in range(2)
                    for k in range(2)
                ),
                *_level("L3", "levels.2", ("compare", "shift")),
                *_level("L2", "levels.1", ("compare", "join", "shift")),
                *_level("L1", "levels.0", ("compare", "join", "shift")),
                *_level("cas", "last", ("compare", "shift")),
                rename("align_module.L2_fea_conv.{leaf}", "align.levels.1.fuse.{leaf}"),
                rename("align_module.L1_fea_conv.{leaf}", "align.levels.0.fuse.{leaf}"),
                rename("feat_exract.0.{leaf}", "encode.{leaf}"),
                rename("att_module_l.att1.{leaf}", "attend_short.first.{leaf}"),
                rename("att_module_l.att2.{leaf}", "attend_short.second.{leaf}"),
                rename("att_module_h.att1.{leaf}", "attend_long.first.{leaf}"),
                rename("att_module_h.att2.{leaf}", "attend_long.second.{leaf}"),
                rename("conv1.{leaf}", "gather.{leaf}"),
                *dense_rules(_BLOCKS),
                rename("conv2.0.{leaf}", "join.{leaf}"),
                rename("conv2.1.{leaf}", "smooth.{leaf}"),
                rename("post_conv.0.{leaf}", "refine.{leaf}"),
                rename("post_conv.2.{leaf}", "end.{leaf}"),
            ),
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 6, 24, 32))),
    small={"width": 4, "growth": 4, "layers": 2, "groups": 2},
    use=Use(
        "merge",
        merge,
        title="ADNet: attention to codes, deformable alignment of light",
        frames=(3, 3),
    ),
)
