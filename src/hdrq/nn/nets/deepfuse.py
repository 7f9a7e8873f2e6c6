"""DeepFuse: the luma of exposures fused by a small convolutional network that MEF-SSIM taught.

Source  Prabhakar, Srikar & Babu, ICCV 2017, doi:10.1109/ICCV.2017.505; chroma is fused by its distance from grey
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, tiled
from hdrq.nn.keys import Rule, rename
from hdrq.nn.net import Layout, Net, mix, pattern

# Width and side of the kernels, of every frame and of the fused features.
_ENCODER = ((32, 3), (64, 5))
_DECODER = ((64, 7), (32, 5), (16, 5), (1, 7))
# of leaky ReLU
_SLOPE = 0.01
# BT.601
_LUMA = (0.299, 0.587, 0.114)
_CB, _CR = 0.5 / (1 - 0.114), 0.5 / (1 - 0.299)
Final = Literal["stretch", "clip"]


class DeepFuse(nn.Module):
    """(K, 1, H, W) luma of K frames, 0..1, to the fused luma (1, 1, H, W).

    shrink  divisor of the paper's widths
    final   "stretch": the smallest value becomes 0 and the largest 1, as in the paper; "clip": the result is added to the
            frames' mean and clipped
    """

    def __init__(self, shrink: int = 1, final: Final = "stretch", bias: bool = False) -> None:
        super().__init__()

        def layers(entering: int, plan: tuple[tuple[int, int], ...]) -> nn.ModuleList:
            widths = [entering, *(max(1, w // shrink) for w, _ in plan)]
            return nn.ModuleList(
                nn.Conv2d(a, b, side, padding=side // 2, bias=bias)
                for (a, b), (_, side) in zip(pairwise(widths), plan)
            )

        self.encoder = layers(1, _ENCODER)
        self.decoder = layers(max(1, _ENCODER[-1][0] // shrink), _DECODER)
        self.final: Final = final
        self.reach = sum(side // 2 for _, side in (*_ENCODER, *_DECODER))

    def features(self, luma: Tensor) -> Tensor:
        """The decoder's output before it is brought to 0..1. Features of frames are averaged and doubled: for two, summed."""
        # codes of BT.601 in the paper's program
        x = 16 + 219 * luma if self.final == "stretch" else luma - 0.5
        for conv in self.encoder:
            x = F.leaky_relu(conv(x), _SLOPE)
        x = 2 * x.mean(0, keepdim=True)
        for number, conv in enumerate(self.decoder):
            last = number == len(self.decoder) - 1
            x = conv(x) if last and self.final == "clip" else F.leaky_relu(conv(x), _SLOPE)
        return x

    def finish(self, features: Tensor, luma: Tensor) -> Tensor:
        """Luma 0..1 of the whole image's features."""
        if self.final == "clip":
            return (features + luma.mean(0, keepdim=True)).clamp(0, 1)
        low, high = features.min(), features.max()
        return (features - low) / (high - low).clamp(min=1e-12)

    def forward(self, luma: Tensor) -> Tensor:
        return self.finish(self.features(luma), luma)


def fuse(net: DeepFuse, frames: Tensor) -> Tensor:
    """Code of the fused image: luma by the network, chroma of the frames weighted by its distance from grey."""
    y = luma(frames)
    fused = net.finish(tiled(lambda part: net.features(part), y, side=512, margin=net.reach), y)
    return rgb(fused, chroma(frames, y))[0]


def luma(code: Tensor) -> Tensor:
    """(K, 1, H, W) of code (K, 3, H, W), by BT.601."""
    r, g, b = (code[:, k : k + 1] for k in range(3))
    return _LUMA[0] * r + _LUMA[1] * g + _LUMA[2] * b


def chroma(frames: Tensor, y: Tensor) -> Tensor:
    """(1, 2, H, W) of blue and red, about 0: Σ |c| c / Σ |c| over the frames; 0 where no frame has any."""
    c = torch.cat([(frames[:, 2:] - y) * _CB, (frames[:, :1] - y) * _CR], 1)
    strength = c.abs()
    return (strength * c).sum(0, keepdim=True) / strength.sum(0, keepdim=True).clamp(min=1e-6)


def rgb(y: Tensor, c: Tensor) -> Tensor:
    """Code of luma and chroma, clipped to 0..1."""
    b, r = y + c[:, :1] / _CB, y + c[:, 1:] / _CR
    g = (y - _LUMA[0] * r - _LUMA[2] * b) / _LUMA[1]
    return torch.cat([r, g, b], 1).clamp(0, 1)


def _turn(t: Tensor) -> Tensor:
    return t.flip(-2, -1)


def _table() -> tuple[Rule, ...]:
    """A list of kernels, which the authors' program turns before use (convolution instead of correlation)."""
    ours = [f"encoder.{k}" for k in range(len(_ENCODER))] + [f"decoder.{k}" for k in range(len(_DECODER))]
    return tuple(rename(f"arr_{i}", f"{name}.weight", _turn, _turn) for i, name in enumerate(ours))


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"shrink": _ENCODER[0][0] // state["arr_0"].shape[0]}


deepfuse = Net(
    name="deepfuse",
    source="Prabhakar, Srikar & Babu 2017, doi:10.1109/ICCV.2017.505",
    build=DeepFuse,
    layouts=(
        Layout(
            name="deepfuse",
            marks=("arr_0", "arr_5"),
            table=_table(),
            options=_options,
            fixed={"final": "stretch", "bias": False},
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(2, 1, 24, 32))),
    small={"shrink": 8},
    use=Use(
        "fuse",
        fuse,
        title="DeepFuse: luma by a network, chroma by its distance from grey",
        frames=(2, 100),
    ),
)
