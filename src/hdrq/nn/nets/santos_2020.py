"""Santos 2020: the light of saturated pixels, by convolutions that weigh their input by its validity.

Source  Santos, Ren & Kalantari, ACM TOG 39(4), 2020, doi:10.1145/3386569.3392403
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, tiled
from hdrq.nn.keys import Rule, rename
from hdrq.nn.net import Layout, Net, mix, pattern
from hdrq.nn.network_input import CONVENTIONS

# code from which a channel is less and less valid
_THRESHOLD = 0.95
# largest logarithm of the prediction, so that float32 holds its exponential
_MOST = 60.0
# of the first encoder steps; the others are 3x3
_KERNELS = (7, 5, 5)


class MaskedConv(nn.Module):
    """Convolution of features times their mask; the mask of its result is the mean of the mask by the kernel's magnitudes."""

    def __init__(
        self, entering: int, leaving: int, side: int = 3, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(entering, leaving, side, stride, side // 2, bias=bias)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        share = self.conv.weight.detach().abs()
        seen = F.conv2d(mask, share, stride=self.conv.stride, padding=self.conv.padding)
        return self.conv(x * mask), seen / (share.sum((1, 2, 3)).reshape(1, -1, 1, 1) + 1e-6)


class MaskedUnet(nn.Module):
    """(B, 3, H, W), ImageNet-normalised code, and a mask of its validity, to ln(1 + light); sides are multiples of 2^depth.

    width  channels of the first step;  depth  number of halvings
    """

    def __init__(self, width: int = 64, depth: int = 7) -> None:
        super().__init__()
        widths = [3, *(width * min(2**k, 8) for k in range(depth))]
        sides = [*_KERNELS, *(3,) * depth][:depth]
        self.down = nn.ModuleList(
            MaskedConv(a, b, side, 2) for a, b, side in zip(widths[:-1], widths[1:], sides)
        )
        self.up = nn.ModuleList(
            MaskedConv(widths[k + 1] + widths[k], widths[k], bias=k == 0) for k in range(depth)
        )
        self.depth = depth

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        skips = [x]
        for conv in self.down:
            x, mask = conv(x, mask)
            x = F.relu(x)
            skips.append(x)
        for k in range(self.depth - 1, -1, -1):
            x, mask = (F.interpolate(t, scale_factor=2, mode="nearest") for t in (x, mask))
            x = torch.cat([x, skips[k]], 1)
            mask = torch.cat([mask, torch.ones_like(skips[k])], 1)
            x, mask = self.up[k](x, mask)
            x = F.leaky_relu(x, 0.2) if k else x
        return x


def validity(code: Tensor) -> Tensor:
    """1 for channels below the threshold, falling to 0 at white."""
    return 1 - ((code - _THRESHOLD) / (1 - _THRESHOLD)).clamp(0, 1)


def predicted(net: nn.Module, code: Tensor) -> Tensor:
    """Light of every pixel as the network has it; 0 in tiles without saturated pixels, where it is not needed."""
    mean, std = (torch.tensor(v).to(code).reshape(3, 1, 1) for v in CONVENTIONS["imagenet"])

    def logarithm(part: Tensor) -> Tensor:
        result: Tensor = net((part - mean) / std, validity(part))
        return result.clamp(max=_MOST).exp() - 1

    stride = 2 ** int(net.depth)  # type: ignore[arg-type]
    side = -(-512 // stride) * stride
    return tiled(
        logarithm,
        code,
        side=side,
        margin=max(stride, 128),
        multiple=stride,
        needed=lambda part: bool((part > _THRESHOLD).any()),
    )


def expand(net: nn.Module, code: Tensor, *, white_nits: float = 100.0) -> Tensor:
    """Light of the code's square, replaced by the prediction the nearer a channel is to white."""
    valid = validity(code)
    light = valid * code.square() + (1 - valid) * predicted(net, code)
    return white_nits * light.clamp(min=0)


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    depth = len({name.split(".")[0] for name in state if name.startswith("enc_")})
    return {"width": state["enc_1.conv.input_conv.weight"].shape[0], "depth": depth}


def _step(theirs: str, ours: str) -> Rule:
    """The weights and their magnitudes, which the program stores too and computes again at every use."""
    pair = f"{theirs}.conv.input_conv.weight", f"{theirs}.conv.mask_update_conv.weight"
    return Rule(
        pair,
        f"{ours}.conv.weight",
        lambda ts: ts[0],
        lambda t: (t, t.abs()) if t is not None else (),
    )


def _table(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    return (
        *(_step(f"enc_{k + 1}", f"down.{k}") for k in range(options["depth"])),
        *(_step(f"dec_{k + 1}", f"up.{k}") for k in range(options["depth"])),
        rename("dec_1.conv.input_conv.bias", "up.0.conv.bias"),
    )


def _witness(net: nn.Module) -> Tensor:
    side = 2 ** int(net.depth)  # type: ignore[arg-type]
    return mix(net(pattern(1, 3, side, 2 * side), pattern(1, 3, 2 * side, side).mT.contiguous()))


santos_2020 = Net(
    name="santos-2020",
    source="Santos, Ren & Kalantari 2020, doi:10.1145/3386569.3392403",
    build=MaskedUnet,
    layouts=(
        Layout(
            name="deep-hdr-reconstruction",
            marks=("enc_1.conv.input_conv.weight", "dec_1.conv.mask_update_conv.weight"),
            table=_table,
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=_witness,
    small={"width": 4, "depth": 3},
    use=Use(
        "expand",
        expand,
        title="Masked features: saturated pixels by a U-Net that knows what is valid",
        limits={"white_nits": (1, 1e5)},
    ),
)
