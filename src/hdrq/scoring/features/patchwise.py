"""Scoring of an image patch by patch, a few at a time, with a network that weights the scores of patches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.cards import Reading
from hdrq.nn.input_scaling import scaled_input
from hdrq.nn.layers.pieapp import PATCH, PatchComparer
from hdrq.scoring.calibration import anchored
from hdrq.scoring.sampling import Plan, cut, plan, strided
from hdrq.scoring.sampling.gather import average

Show = Literal["score", "weight", "share"]
Precision = Literal["float32", "bfloat16"]
_AT_ONCE = 32  # patches of each image; a pair of 64 takes about 0.4 GB


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
