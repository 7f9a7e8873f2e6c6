"""DeepTMO: tone mapping by the generator of a conditional adversarial network, of one scale or of two.

Source  Rana, Singh, Valenzise, Dufaux, Komodakis & Smolic, IEEE TIP 29, 2020, doi:10.1109/TIP.2019.2936649; the generators are
those of Wang et al., CVPR 2018, doi:10.1109/CVPR.2018.00917
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.image.statistics import luminance
from hdrq.nn.image_networks import Use, to_multiple
from hdrq.nn.keys import Rule, rename
from hdrq.nn.net import Layout, Net, mix, pattern

# residual blocks of the finer scale
_LOCAL = 3
# of the brightest pixel, for the logarithm
_DARKEST = 1e-4


class Residual(nn.Module):
    """Two 3x3 convolutions with reflected borders and instance norm, and the input added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3)
        self.second = nn.Conv2d(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(_norm(self.first(_framed(x, 1))))
        return x + _norm(self.second(_framed(y, 1)))


class Generator(nn.Module):
    """Halvings, residual blocks at the coarsest size, and as many doublings.

    width  channels of the full size
    """

    def __init__(self, width: int, halvings: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, width, 7)
        self.down = nn.ModuleList(nn.Conv2d(width << k, width << (k + 1), 3, 2, 1) for k in range(halvings))
        self.blocks = nn.ModuleList(Residual(width << halvings) for _ in range(blocks))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(width << (k + 1), width << k, 3, 2, 1, 1) for k in reversed(range(halvings))
        )

    def head(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to the features before the residual blocks."""
        x = F.relu(_norm(self.enter(_framed(x, 3))))
        for conv in self.down:
            x = F.relu(_norm(conv(x)))
        return x

    def tail(self, x: Tensor) -> Tensor:
        """Those features to features of the full size, (B, width, H, W)."""
        for block in self.blocks:
            x = block(x)
        for conv in self.up:
            x = F.relu(_norm(conv(x)))
        return x


class DeepTmo(nn.Module):
    """(B, 3, H, W) of -1..1 to (B, 3, H, W) of -1..1; sides are multiples of 2^halvings (of twice that with `fine`).

    width     channels of the full size;  halvings, blocks  of the coarse generator
    fine      whether a generator of the full size surrounds it, which then works at half the size with twice the width
    """

    def __init__(self, width: int = 64, halvings: int = 4, blocks: int = 9, fine: bool = False) -> None:
        super().__init__()
        self.coarse = Generator(width << int(fine), halvings, blocks)
        self.fine = Generator(width, 1, _LOCAL) if fine else None
        self.end = nn.Conv2d(width, 3, 7)
        self.stride = 1 << (halvings + int(fine))

    def forward(self, x: Tensor) -> Tensor:
        if self.fine is None:
            y = self.coarse.tail(self.coarse.head(x))
        else:
            half = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            y = self.fine.tail(self.fine.head(x) + self.coarse.tail(self.coarse.head(half)))
        return torch.tanh(self.end(_framed(y, 3)))


def _framed(x: Tensor, border: int) -> Tensor:
    """Reflected borders; repeated ones where the image is too small for a reflection."""
    mode = "reflect" if min(x.shape[-2:]) > border else "replicate"
    return F.pad(x, (border,) * 4, mode=mode)


def _norm(x: Tensor) -> Tensor:
    """Instance norm, which torch refuses for one pixel."""
    centred = x - x.mean((-2, -1), keepdim=True)
    return centred / (centred.square().mean((-2, -1), keepdim=True) + 1e-5).sqrt()


def tonemap(
    net: DeepTmo, light: Tensor, *, scaled: Literal["log", "linear"] = "log", side: int = 1024
) -> Tensor:
    """Code 0..1. Statistics of the whole image enter every layer, so that it is computed at once, at a limited size.

    scaled  the network's input, from -1 to 1: the logarithm of light over its maximum down to 1e-4, or that share itself (the
            authors do not publish how theirs was prepared)
    side    longest side at which the network works; of larger images it gives the luminance of the reduced image, and details
            come from the ratio of light to its reduced version
    """
    h, w = light.shape[-2:]
    top = light.amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
    share = (light / top).clamp(min=0)
    small = share
    if max(h, w) > side:
        ratio = side / max(h, w)
        small = F.interpolate(share, (max(1, round(h * ratio)), max(1, round(w * ratio))), mode="area")
    given = small * 2 - 1
    if scaled == "log":
        given = (small.clamp(min=_DARKEST).log10() / -torch.tensor(_DARKEST).log10()) * 2 + 1
    at = small.shape[-2:]
    code: Tensor = (net(to_multiple(given, max(net.stride, 8)))[..., : at[0], : at[1]] + 1) / 2
    if small is share:
        return code
    code = F.interpolate(code, (h, w), mode="bilinear", align_corners=False)
    base = F.interpolate(luminance(small), (h, w), mode="bilinear", align_corners=False)
    detail = (luminance(share) + 1e-6) / (base + 1e-6)
    return (code * detail.clamp(0.25, 4) ** (1 / 2.2)).clamp(0, 1)


def _count(state: Mapping[str, Tensor], prefix: str) -> tuple[int, int]:
    """(halvings, residual blocks) of a generator, from the numbers of its parts."""
    blocks = {name.split(".")[1] for name in state if name.startswith(prefix) and ".conv_block." in name}
    before = [
        name
        for name, t in state.items()
        if name.startswith(prefix) and name.count(".") == 2 and name.endswith("weight")
        and int(name.split(".")[1]) < min(int(b) for b in blocks)
    ]  # fmt: skip
    return len(before) - 1, len(blocks)


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    halvings, blocks = _count(state, "model.")
    fine = "model1_1.1.weight" in state
    width = state["model.1.weight"].shape[0]
    return {"width": width // 2 if fine else width, "halvings": halvings, "blocks": blocks, "fine": fine}


def _table(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Positions in the program's sequences: pad, convolution, norm, ReLU; three a step, one a residual block."""
    halvings, blocks, fine = options["halvings"], options["blocks"], options["fine"]
    # of the residual blocks
    first = 1 + 3 * (halvings + 1)
    after = first + blocks
    rules = [rename("model.1.{leaf}", "coarse.enter.{leaf}")]
    for k in range(halvings):
        rules.append(rename(f"model.{4 + 3 * k}.{{leaf}}", f"coarse.down.{k}.{{leaf}}"))
        rules.append(rename(f"model.{after + 3 * k}.{{leaf}}", f"coarse.up.{k}.{{leaf}}"))
    for k in range(blocks):
        rules += _block(f"model.{first + k}", f"coarse.blocks.{k}")
    if not fine:
        return (*rules, rename(f"model.{after + 3 * halvings + 1}.{{leaf}}", "end.{leaf}"))
    rules.append(rename("model1_1.1.{leaf}", "fine.enter.{leaf}"))
    rules.append(rename("model1_1.4.{leaf}", "fine.down.0.{leaf}"))
    for k in range(_LOCAL):
        rules += _block(f"model1_2.{k}", f"fine.blocks.{k}")
    rules.append(rename(f"model1_2.{_LOCAL}.{{leaf}}", "fine.up.0.{leaf}"))
    return (*rules, rename(f"model1_2.{_LOCAL + 4}.{{leaf}}", "end.{leaf}"))


def _block(theirs: str, ours: str) -> tuple[Rule, ...]:
    return (
        rename(f"{theirs}.conv_block.1.{{leaf}}", f"{ours}.first.{{leaf}}"),
        rename(f"{theirs}.conv_block.5.{{leaf}}", f"{ours}.second.{{leaf}}"),
    )


deeptmo = Net(
    name="deeptmo",
    source="Rana et al. 2020, doi:10.1109/TIP.2019.2936649",
    build=DeepTmo,
    layouts=(
        Layout(
            name="pix2pixHD",
            marks=("model.1.weight", "model.4.weight"),
            table=_table,
            options=_options,
            encoding="linear",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 32, 64) * 2 - 1)),
    small={"width": 4, "halvings": 2, "blocks": 2},
    use=Use(
        "tonemap",
        tonemap,
        title="DeepTMO: the generator of an adversarial network",
        limits={"side": (64, 4096)},
    ),
)
