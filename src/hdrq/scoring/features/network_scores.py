"""Learned metrics: distances of deep features, shares of the best quality, and scoring of an image patch by patch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.cards import Card, Reading
from hdrq.nn.layers.pieapp import PATCH, PatchComparer
from hdrq.nn.network_input import scaled_input
from hdrq.scoring.calibration import anchored
from hdrq.scoring.sampling import Plan, cut, plan, strided
from hdrq.scoring.sampling.gather import average

# keeps the quotient finite
_LEAST = 1e-6
Show = Literal["score", "weight", "share"]
Precision = Literal["float32", "bfloat16"]
# patches of each image; a pair of 64 takes about 0.4 GB
_AT_ONCE = 32


def deep_distance_card(title: str, source: str, net: str) -> Card:
    """The card of a metric that is this distance by a network."""
    return Card(
        title=title,
        unit="1",
        better="lower",
        span=(0, None),
        best=0.0,
        reads="code",
        source=source,
        needs=("net", "maps"),
        side=32,
        planes=400,
        net=net,
    )


def deep_distance(ref: Tensor, dist: Tensor, net: Any, maps: bool) -> Reading:
    """Mean over space and sum over stages of what `net.maps` finds; with `maps` also their sum at the images' size."""
    a, b = (scaled_input(image.to(net.heads[0]), net) for image in (ref, dist))
    found = net.maps(a, b)
    value = torch.stack([m.mean((1, 2, 3)) for m in found]).sum(0)
    if not maps:
        return Reading(value)
    size = ref.shape[-2:]
    return Reading(value, torch.stack([F.interpolate(m, size, mode="bilinear") for m in found]).sum(0))


def share_card(
    title: str, source: str, net: str, *, side: int, planes: float, reference: str | None = ""
) -> Card:
    """Of a network of the NoR-VDPNet family, which was trained on scores of another metric brought to 0 .. 1."""
    return Card(
        title=title,
        unit="1",
        better="higher",
        span=(0.0, 1.0),
        reads="code",
        reference=reference,
        source=source,
        needs=("net", "encoding"),
        side=side,
        planes=planes,
        net=net,
    )


def share(net: Any, *views: Tensor, like: Tensor) -> Reading:
    """Share of the best quality that the network gives its views, in the type of `like`; `q` is the same out of 100.

    Of two views and weights that hdrq distilled, relative to the share of the reference against itself, and at most 1.
    """
    weights = next(net.parameters())
    seen = [view.to(weights) for view in views]
    value = net(*seen)
    if len(seen) == 2 and anchored(net):
        value = (value / net(seen[0], seen[0]).clamp(min=_LEAST)).clamp(max=1)
    value = value.to(like)
    return Reading(value, None, {"q": 100 * value})


@dataclass(frozen=True)
class Cutting:
    """Positions of the patches.

    stride   of a regular grid of patches, where `patches` is 0
    patches  or this number of patches, in perturbed cells that fill the image, resampled and averaged `repeats` times
    """

    stride: int
    patches: int
    repeats: int
    seed: int

    def plans(self, size: tuple[int, int]) -> Iterator[Plan]:
        """The plans of one image of (height, width): the grid, or a random plan for each repeat."""
        if not self.patches:
            yield strided(size, PATCH, self.stride)
            return
        for repeat in range(self.repeats):
            yield plan(size, self.patches, patch=PATCH, seed=self.seed + repeat)


def patchwise(
    net: Any,
    ref: Tensor,
    dist: Tensor,
    cutting: Cutting,
    *,
    maps: bool,
    show: Show,
    precision: Precision,
    best: float = 0.0,
) -> Reading:
    """Code (N, C, H, W) of both images to one score each, with a map if requested.

    Of weights that hdrq distilled, the score of identical patches, a constant, becomes `best`.

    show  meaning of the map: mean score of the patches on a pixel, their mean weight, or their share of the result
          (score · weight, 1 where it is average)
    """
    values, pictures = [], []
    for where in cutting.plans((int(ref.shape[-2]), int(ref.shape[-1]))):
        score, weight = _patch_scores(net, ref, dist, where, precision, best)
        shares = score * weight
        values.append(shares.sum(1) / weight.sum(1))
        if maps:
            even = shares.mean(1, keepdim=True)
            shown = {"score": score, "weight": weight, "share": shares / even}[show]
            pictures.append(average(shown, where))
    value = torch.stack(values).mean(0)
    return Reading(value, torch.stack(pictures).nanmean(0) if maps else None)


def _patch_scores(
    net: PatchComparer, ref: Tensor, dist: Tensor, where: Plan, precision: Precision, best: float
) -> tuple[Tensor, Tensor]:
    """Scores and weights (N, patches), float32."""
    scores, weights = [], []
    low = torch.autocast(ref.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    for part in where.parts(_AT_ONCE):
        a, b = (scaled_input(cut(image.to(net.level.weight), part), net) for image in (ref, dist))
        with low:
            predicted = net.predict(a, b)
            shift = best - net.predict(a[:1, :1], a[:1, :1]).score.float() if anchored(net) else 0.0
        score = predicted.score.float() + shift
        if anchored(net):
            # a product of matrices rounds by their number of rows, so that the shift of one patch may miss others by a digit
            same = (a == b).flatten(2).all(2)
            score = score + same * (best - score).detach()
        scores.append(score)
        weights.append(predicted.weight.float())
    return torch.cat(scores, 1), torch.cat(weights, 1)
