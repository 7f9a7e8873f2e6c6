"""PieAPP: how wrong one patch looks beside another, and how much that patch counts.

Source  Prashnani, Cai, Mostofi & Sen, CVPR 2018, doi:10.1109/CVPR.2018.00194
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.layers.intake import Convention

PATCH = 64
CONVS = 11
_WIDTHS = (3, 64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512)
_POOLED = (2, 4, 6, 8, 10)  # a max pooling follows these convolutions, counted from 1
_KEPT = (3, 5, 7, 9, 11)  # and these are looked at
_FINE, _COARSE = 120832, 2048  # values of a 64x64 patch, over all that is kept and over the last
_TINY = 1e-6  # keeps the sum of weights from being 0


class Features(NamedTuple):
    """Of M patches: `fine` (M, 120832), every kept layer flattened; `coarse` (M, 2048), the last one."""

    fine: Tensor
    coarse: Tensor


class Verdict(NamedTuple):
    """Of every patch (B, N): its score, its weight, and the coarse features (B·N, 2048) of both pictures."""

    score: Tensor
    weight: Tensor
    coarse_ref: Tensor
    coarse_dist: Tensor

    def pooled(self) -> Tensor:
        """One score a picture, (B,)."""
        return (self.score * self.weight).sum(1) / self.weight.sum(1)


class PatchComparer(nn.Module):
    """Eleven convolutions shared by both pictures, and two small heads on what differs.

    order   what is subtracted from what: "ref-dist" (PieAPP) or "dist-ref" (PU-PieAPP)
    gate    what the weight goes through before 1e-6 is added: "none", or "sigmoid" (the re-trained form)
    intake  the numbers its patches come in
    """

    def __init__(
        self,
        order: Literal["ref-dist", "dist-ref"] = "ref-dist",
        gate: Literal["none", "sigmoid"] = "none",
        intake: Convention = "bgr255",
    ) -> None:
        super().__init__()
        self.order, self.gate, self.intake = order, gate, intake
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(_WIDTHS))
        self.score = nn.ModuleList((nn.Linear(_FINE, 512), nn.Linear(512, 1)))
        self.level = nn.Linear(1, 1)
        self.weight = nn.ModuleList((nn.Linear(_COARSE, 512), nn.Linear(512, 1)))

    def features(self, patches: Tensor) -> Features:
        """(M, 3, 64, 64) patches as `intake` says."""
        # Channels-last is faster everywhere, but on the CPU it rounds patch scores off by 1.6e-5 of the authors'.
        order = torch.channels_last if patches.is_cuda else torch.contiguous_format
        x, kept = patches.contiguous(memory_format=order), []
        for number, conv in enumerate(self.convs, 1):
            x = F.relu(conv(x))
            if number in _KEPT:
                kept.append(x.flatten(1))
            if number in _POOLED:
                x = F.max_pool2d(x, 2)
        return Features(torch.cat(kept, 1), kept[-1])

    def judge(self, ref: Tensor, dist: Tensor) -> Verdict:
        """Patches (B, N, 3, 64, 64) of both pictures, cut at the same places."""
        b, n = ref.shape[:2]
        both = self.features(torch.cat([ref.flatten(0, 1), dist.flatten(0, 1)]))
        (fine_ref, fine_dist), (coarse_ref, coarse_dist) = both.fine.chunk(2), both.coarse.chunk(2)
        sign = 1 if self.order == "ref-dist" else -1
        score = self.level(0.01 * _head(self.score, sign * (fine_ref - fine_dist)))
        weight = _head(self.weight, sign * (coarse_ref - coarse_dist))
        weight = (weight.sigmoid() if self.gate == "sigmoid" else weight) + _TINY
        return Verdict(score.reshape(b, n), weight.reshape(b, n), coarse_ref, coarse_dist)

    def forward(self, ref: Tensor, dist: Tensor) -> Tensor:
        """One score a picture, (B,)."""
        return self.judge(ref, dist).pooled()


def _head(layers: nn.ModuleList, x: Tensor) -> Tensor:
    first, last = layers
    return last(F.relu(first(x)))
