"""DISTS: similarity of texture (means) and structure (covariances) of VGG16 features.

Source  Ding, Ma, Wang & Simoncelli, TPAMI 2022, doi:10.1109/TPAMI.2020.3045810
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, constant, drop, rename
from hdrq.nn.layers import vgg
from hdrq.nn.net import Layout, Net, pattern
from hdrq.nn.network_input import CONVENTIONS

WIDTHS = (3, *vgg.widths())
# stabilises the similarity of constant features
_C = 1e-6
# the three inner taps of a Hanning window of 5, sum 1
_HANNING = (0.25, 0.5, 0.25)


class Dists(nn.Module):
    """VGG16 with L2 pooling; `alpha` and `beta` are the channel weights of texture and structure."""

    intake = "unit"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = vgg.Trunk()
        self.alpha = nn.Parameter(torch.full((1, sum(WIDTHS), 1, 1), 0.1))
        self.beta = nn.Parameter(torch.full((1, sum(WIDTHS), 1, 1), 0.1))

    def features(self, image: Tensor) -> Iterator[Tensor]:
        """The image itself, (B, 3, H, W) in [0, 1], then the five stages."""
        yield image
        mean, std = (image.new_tensor(v).reshape(3, 1, 1) for v in CONVENTIONS["imagenet"])
        yield from self.trunk.stages((image - mean) / std, shrink=smooth)

    def forward(self, ref: Tensor, dist: Tensor) -> Tensor:
        """The distance, (B,); 0 for identical images."""
        total = self.alpha.sum() + self.beta.sum()
        alphas = (self.alpha / total).flatten().split(WIDTHS)
        betas = (self.beta / total).flatten().split(WIDTHS)
        likeness = [
            (likeness * weight).sum(1)
            for alpha, beta, a, b in zip(alphas, betas, self.features(ref), self.features(dist))
            for likeness, weight in zip(compare(a, b), (alpha, beta))
        ]
        return 1 - torch.stack(likeness).sum(0)


def smooth(x: Tensor) -> Tensor:
    """L2 pooling: square root of the Hanning-weighted mean square, subsampled by two."""
    n, c, h, w = x.shape
    taps = x.new_tensor(_HANNING)
    y = x.square().reshape(n * c, 1, h, w)
    y = F.conv2d(y, taps.reshape(1, 1, 3, 1), stride=(2, 1), padding=(1, 0))
    y = F.conv2d(y, taps.reshape(1, 1, 1, 3), stride=(1, 2), padding=(0, 1))
    return (y + 1e-12).sqrt().reshape(n, c, *y.shape[-2:])


def compare(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(texture, structure) of each channel, (B, C): similarity of means and of covariances."""
    mean_a, mean_b = a.mean((2, 3)), b.mean((2, 3))
    rest_a, rest_b = a - mean_a[..., None, None], b - mean_b[..., None, None]
    spread = rest_a.square().mean((2, 3)) + rest_b.square().mean((2, 3))
    shared = (rest_a * rest_b).mean((2, 3))
    texture = (2 * mean_a * mean_b + _C) / (mean_a.square() + mean_b.square() + _C)
    return texture, (2 * shared + _C) / (spread + _C)


def _filters() -> tuple[Rule, ...]:
    """Rules for the convolutions; the authors' program stores the pooling filter once per channel of each stage."""
    taps = torch.tensor(_HANNING)
    square = (taps[:, None] * taps)[None, None]
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in CONVENTIONS["imagenet"])
    places = (("stage2.4", 64), ("stage3.9", 128), ("stage4.16", 256), ("stage5.23", 512))
    return (
        constant("mean", mean),
        constant("std", std),
        *(constant(f"{place}.filter", square.expand(width, 1, 3, 3).clone()) for place, width in places),
    )


_WEIGHTS = (rename("alpha", "alpha"), rename("beta", "beta"))


def _witness(net: nn.Module) -> Tensor:
    ref, dist = pattern(2, 1, 3, 64, 64).unbind()
    result: Tensor = net(ref, dist)[0]
    return result


dists = Net(
    name="dists",
    source="Ding et al. 2022, doi:10.1109/TPAMI.2020.3045810",
    build=Dists,
    layouts=(
        Layout(
            "dists",
            ("alpha", "stage1.0.weight"),
            (*_filters(), *_WEIGHTS, *vgg.numbered_by_stage("stage")),
            encoding="srgb",
        ),
        # the small published file, used with torchvision's VGG16
        Layout(
            "dists-torchvision",
            ("alpha", "features.28.weight"),
            (*_WEIGHTS, *vgg.torchvision("features.", "trunk.convs."), drop("classifier.{k}.{leaf}")),
            encoding="srgb",
        ),
    ),
    witness=_witness,
    head=("alpha", "beta"),
    training={"input": "crops", "crop": 224, "batch": 4},
)
