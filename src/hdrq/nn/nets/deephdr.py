"""DeepHDR: three exposures with motion merged by encoders of their own and a decoder, without optical flow.

Source  Wu, Xu, Tai & Tang, ECCV 2018, doi:10.1007/978-3-030-01216-8_8
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, code_and_light, tiled
from hdrq.nn.keys import Rule, rename
from hdrq.nn.layers.tensorflow import Norm, kernel, norm_rules, same
from hdrq.nn.net import Layout, Net, mix, pattern

_KERNEL = 5
# of leaky ReLU
_SLOPE = 0.2
# three halvings
_STRIDE = 8


class Down(nn.Module):
    """5x5 convolution with reflected borders."""

    def __init__(self, entering: int, leaving: int, stride: int = 2, norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(entering, leaving, _KERNEL, stride)
        self.norm = Norm(leaving) if norm else None
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(same(x, _KERNEL, self.stride, "reflect"))
        return x if self.norm is None else self.norm(x)


class Up(nn.Module):
    """ReLU, transposed 5x5 convolution to twice the size, batch norm."""

    def __init__(self, entering: int, leaving: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(entering, leaving, _KERNEL, 2)
        self.norm = Norm(leaving)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(F.relu(x))[..., 1:-2, 1:-2])
        return result


class Residual(nn.Module):
    """Two 3x3 convolutions with reflected borders, batch norm after each, and the input added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3)
        self.norm1 = Norm(width)
        self.conv2 = nn.Conv2d(width, width, 3)
        self.norm2 = Norm(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(same(x, 3, 1, "reflect"))))
        y = self.norm2(self.conv2(same(y, 3, 1, "reflect")))
        result: Tensor = x + y
        return result


class DeepHdr(nn.Module):
    """(B, 3, 6, H, W), code and light of short, middle and long frame, to light (B, 3, H, W), 0..1.

    Sides are multiples of 8 and at least 24 (borders are reflected). width  channels of the first stage;  blocks  residual ones
    """

    def __init__(self, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.ModuleList([Down(6, width, norm=False), Down(width, 2 * width)]) for _ in range(3)
        )
        self.merger = Down(6 * width, 4 * width)
        self.residual = nn.ModuleList(Residual(4 * width) for _ in range(blocks))
        self.up = nn.ModuleList([Up(8 * width, 2 * width), Up(8 * width, width), Up(4 * width, width)])
        self.end = Down(width, 3, 1, norm=False)

    def forward(self, frames: Tensor) -> Tensor:
        signed = frames * 2 - 1
        first, second = [], []
        for k, encoder in enumerate(self.encoders):
            first.append(encoder[0](signed[:, k]))  # type: ignore[index]
            second.append(encoder[1](F.leaky_relu(first[-1], _SLOPE)))  # type: ignore[index]
        joint = self.merger(F.leaky_relu(torch.cat(second, 1), _SLOPE))
        x = joint
        for block in self.residual:
            x = block(F.relu(x))
        x = self.up[0](torch.cat([x, joint], 1))
        x = self.up[1](torch.cat([x, *second], 1))
        x = self.up[2](torch.cat([x, *first], 1))
        return (torch.tanh(self.end(F.relu(x))) + 1) / 2


def merge(net: nn.Module, frames: Tensor, seconds: Tensor) -> Tensor:
    """Radiance of the middle frame's scene; 1 is the white of the shortest frame."""
    given = code_and_light(frames, seconds)
    h, w = given.shape[-2:]
    # smaller images are repeated at their borders
    least = 3 * _STRIDE
    flat = F.pad(given[0], (0, max(0, least - w), 0, max(0, least - h)), mode="replicate")[None]
    return tiled(net, flat, side=512, margin=192, multiple=_STRIDE)[0, :, :h, :w]


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    blocks = [name for name in state if name.endswith("_c1/w") and "/g_r" in name]
    return {"width": state["generator/encoder1/g_e1_conv/w"].shape[3], "blocks": len(blocks)}


def _conv(theirs: str, ours: str, norm: str = "") -> tuple[Rule, ...]:
    place = theirs.rpartition("/")[0]
    return (
        kernel(f"generator/{theirs}/w", f"{ours}.weight"),
        rename(f"generator/{theirs}/biases", f"{ours}.bias"),
        *(norm_rules(f"generator/{place}/{norm}", f"{ours.rpartition('.')[0]}.norm") if norm else ()),
    )


def _block(k: str) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for part in (1, 2):
        theirs, ours = f"generator/merger/g_r{k}", f"residual.{int(k) - 1}"
        rules.append(kernel(f"{theirs}_c{part}/w", f"{ours}.conv{part}.weight"))
        rules.append(rename(f"{theirs}_c{part}/biases", f"{ours}.conv{part}.bias"))
        rules += norm_rules(f"{theirs}_bn{part}", f"{ours}.norm{part}")
    return tuple(rules)


def _table(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    return (
        *(
            rule
            for k in range(3)
            for rule in (
                *_conv(f"encoder{k + 1}/g_e1_conv", f"encoders.{k}.0.conv"),
                *_conv(f"encoder{k + 1}/g_e2_conv", f"encoders.{k}.1.conv", "g_e2_bn"),
            )
        ),
        *_conv("merger/g_e3_conv", "merger.conv", "g_e3_bn"),
        *(rule for k in range(options["blocks"]) for rule in _block(str(k + 1))),
        *(rule for k in range(3) for rule in _conv(f"decoder/g_d{k + 1}", f"up.{k}.conv", f"g_d{k + 1}_bn")),
        *_conv("decoder/g_d_out_conv", "end.conv"),
    )


deephdr = Net(
    name="deephdr",
    source="Wu et al. 2018, doi:10.1007/978-3-030-01216-8_8",
    build=DeepHdr,
    layouts=(
        Layout(
            name="deephdr",
            marks=("generator/encoder1/g_e1_conv/w", "generator/decoder/g_d_out_conv/w"),
            table=_table,
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 6, 32, 40))),
    small={"width": 4, "blocks": 2},
    use=Use(
        "merge",
        merge,
        title="DeepHDR: an encoder for every frame and a joint decoder",
        frames=(3, 3),
    ),
)
