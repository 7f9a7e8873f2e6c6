"""Vinker 2021: a U-Net that tone-maps the adapted logarithm of luminance, taught by photographs that show other scenes.

Source  Vinker, Huberman-Spiegelglas & Fattal, ICCV 2021, doi:10.1109/ICCV48922.2021.01439; layout of
yael-vinker/unpaired_hdr_tmo 081f154
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.image.adaptive_log import curved
from hdrq.image.statistics import luminance, ratio, without_contrast
from hdrq.nn.image_networks import Use, tiled
from hdrq.nn.keys import Rule, drop, rename
from hdrq.nn.net import Layout, Net, mix, pattern

# added below the root of a skip connection
_EPS = 1e-8
# pixels that a pixel of the result depends on, rounded up to the coarsest grid
_REACH = 112
# quantiles of the result that become black and white
_BLACK, _WHITE = 0.005, 0.995


class Pair(nn.Module):
    """Two 3x3 convolutions with ReLU without borders; transposed ones, whose result is larger by 4, with `widens`."""

    def __init__(self, given: int, made: int, widens: bool = False) -> None:
        super().__init__()
        kind = nn.ConvTranspose2d if widens else nn.Conv2d
        self.first, self.second = kind(given, made, 3), kind(made, made, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))))


class Up(nn.Module):
    """Twice the size, joined with the middle of a skip connection, its square and its root, and two convolutions."""

    def __init__(self, width: int, made: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(width, width, 2, 2)
        self.pair = Pair(4 * width, made, widens=True)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        x = self.up(x)
        border = (skipped.shape[-1] - x.shape[-1]) // 2
        s = F.pad(skipped, (-border,) * 4)
        result: Tensor = self.pair(torch.cat([s, x, s.square(), (s + _EPS).sqrt()], 1))
        return result


class UNet(nn.Module):
    """(B, 1, H, W) code 0..1 of luminance to code 0..1.

    Borders are repeated as far as the convolutions need, in the program by 45 pixels.

    width  channels of the full size, 32 in the program;  depth  number of halvings, 4 there
    """

    def __init__(self, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        widths = [width << k for k in range(depth)]
        self.enter = Pair(1, width)
        self.down = nn.ModuleList(Pair(w, 2 * w) for w in widths[:-1])
        self.last = nn.Conv2d(widths[-1], widths[-1], 3)
        leaving = [max(w // 2, width) for w in widths[::-1]]
        self.up = nn.ModuleList(Up(w, made) for w, made in zip(widths[::-1], leaving))
        self.end = nn.Conv2d(width, 1, 1)
        self.grid = 1 << depth

    def forward(self, code: Tensor) -> Tensor:
        h, w = code.shape[-2:]
        # transposed convolutions have fewer terms at the borders of their results, in all in less than this frame
        frame = 4 * self.grid
        y, x = (_needed(n + 2 * frame, len(self.up)) - n for n in (h, w))
        # what convolutions without borders take away on each side comes on top
        before = frame + self.grid
        skips = [self.enter(F.pad(code, (before, x - before, before, y - before), mode="replicate"))]
        for pair in self.down:
            skips.append(pair(F.max_pool2d(skips[-1], 2)))
        made = F.relu(self.last(F.max_pool2d(skips[-1], 2)))
        for up in self.up:
            made = up(made, skips.pop())
        return torch.sigmoid(self.end(made))[..., frame : frame + h, frame : frame + w]


def _needed(side: int, depth: int) -> int:
    """The least side that passes all halvings without a rest and leaves at least `side` pixels."""
    # of the coarsest skip connection; its half loses 2
    deep = 6
    while True:
        given, left = deep, deep
        for _ in range(depth - 1):
            given, left = 2 * (given + 4), 2 * left + 4
        if left >= side:
            return given + 4
        deep += 2


def tonemap(net: UNet, light: Tensor, *, steepness: float | None = None, saturation: float = 0.5) -> Tensor:
    """Code 0..1 of one image, its quantiles of 0.5 and 99.5 % at black and white, times (C / L)^saturation.

    steepness   of the logarithm that the network is given; auto is the one by which the histogram is that of photographs
    saturation  0.5 in the program
    """
    y = luminance(light)
    code = curved(y, steepness)
    gray = tiled(net, code, side=512, margin=_REACH, multiple=net.grid)
    ends = gray.flatten()
    low, high = (_rank(ends, share) for share in (_BLACK, _WHITE))
    span = (high - low).clamp(min=1e-6)
    stretched = (gray.clamp(low, high) - low) / span
    shown = torch.where(without_contrast(y), gray, stretched)
    return (ratio(light, y).clamp(min=0) ** saturation * shown).clamp(0, 1)


def _rank(values: Tensor, share: float) -> Tensor:
    n = values.numel()
    return values.kthvalue(min(max(round(share * n), 1), n)).values


def _table(options: Mapping[str, Any]) -> tuple[Rule, ...]:
    rules = _pair("inc.conv", "enter")
    depth = options["depth"]
    for k in range(depth - 1):
        rules += _pair(f"down_path.{k}.mpconv.1", f"down.{k}")
    # the coarsest step has a second convolution that the program does not use
    coarsest = f"down_path.{depth - 1}.mpconv.1"
    rules += [rename(f"{coarsest}.conv.{{leaf}}", "last.{leaf}"), drop(f"{coarsest}.conv1.{{leaf}}")]
    for k in range(depth):
        rules.append(rename(f"up_path.{k}.up.{{leaf}}", f"up.{k}.up.{{leaf}}"))
        rules += _pair(f"up_path.{k}.conv", f"up.{k}.pair")
    return (*rules, rename("outc.conv.{leaf}", "end.{leaf}"))


def _pair(theirs: str, ours: str) -> list[Rule]:
    return [
        rename(f"{theirs}.{a}.{{leaf}}", f"{ours}.{b}.{{leaf}}")
        for a, b in (("conv", "first"), ("conv1", "second"))
    ]


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    depth = sum(name.startswith("up_path.") and name.endswith(".up.weight") for name in state)
    return {"width": state["inc.conv.conv.weight"].shape[0], "depth": depth}


vinker_2021 = Net(
    name="vinker-2021",
    source="Vinker, Huberman-Spiegelglas & Fattal 2021, doi:10.1109/ICCV48922.2021.01439",
    build=UNet,
    layouts=(
        Layout(
            name="unpaired_hdr_tmo",
            marks=("inc.conv.conv.weight", "outc.conv.weight"),
            table=_table,
            options=_options,
            encoding="linear",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 1, 40, 48))),
    small={"width": 4, "depth": 2},
    use=Use(
        "tonemap",
        tonemap,
        title="Vinker 2021: a U-Net of the adapted logarithm",
        limits={"steepness": (1e-3, 1e12), "saturation": (0, 5)},
    ),
)
