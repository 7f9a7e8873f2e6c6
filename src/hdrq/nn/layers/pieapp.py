"""The network of PieAPP: comparison of patches, and the layouts of its published weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, State, rename
from hdrq.nn.net import pattern
from hdrq.nn.network_input import Convention

PATCH = 64
CONVS = 11
_WIDTHS = (3, 64, 64, 64, 128, 128, 128, 256, 256, 256, 512, 512)
# convolutions, counted from 1, that are followed by max pooling
_POOLED = (2, 4, 6, 8, 10)
# convolutions whose outputs are features
_KEPT = (3, 5, 7, 9, 11)
# number of features of a 64x64 patch: of all kept layers, of the last one
_FINE, _COARSE = 120832, 2048
# keeps the sum of weights above 0
_TINY = 1e-6


class Features(NamedTuple):
    """Features of M patches: `fine` (M, 120832), all kept layers flattened; `coarse` (M, 2048), the last one."""

    fine: Tensor
    coarse: Tensor


class PatchScores(NamedTuple):
    """For all patches (B, N): scores, weights, and the coarse features (B·N, 2048) of both images."""

    score: Tensor
    weight: Tensor
    coarse_ref: Tensor
    coarse_dist: Tensor

    def pooled(self) -> Tensor:
        """One score per image, (B,)."""
        return (self.score * self.weight).sum(1) / self.weight.sum(1)


class PatchComparer(nn.Module):
    """Eleven convolutions shared by both images, and two small heads on the difference of features.

    order   order of the subtraction: "ref-dist" (PieAPP) or "dist-ref" (PU-PieAPP)
    gate    function applied to the weight before 1e-6 is added: "none", or "sigmoid" (the retrained variant)
    intake  normalisation of its patches
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
        """(M, 3, 64, 64) patches, normalised by `intake`."""
        # Channels-last is faster, but on the CPU it changes patch scores by 1.6e-5 relative to the authors' program.
        order = torch.channels_last if patches.is_cuda else torch.contiguous_format
        x, layers = patches.contiguous(memory_format=order), []
        for number, conv in enumerate(self.convs, 1):
            x = F.relu(conv(x))
            if number in _KEPT:
                layers.append(x.flatten(1))
            if number in _POOLED:
                x = F.max_pool2d(x, 2)
        return Features(torch.cat(layers, 1), layers[-1])

    def predict(self, ref: Tensor, dist: Tensor) -> PatchScores:
        """Patches (B, N, 3, 64, 64) of both images, at the same positions."""
        b, n = ref.shape[:2]
        both = self.features(torch.cat([ref.flatten(0, 1), dist.flatten(0, 1)]))
        (fine_ref, fine_dist), (coarse_ref, coarse_dist) = both.fine.chunk(2), both.coarse.chunk(2)
        sign = 1 if self.order == "ref-dist" else -1
        score = self.level(0.01 * _head(self.score, sign * (fine_ref - fine_dist)))
        weight = _head(self.weight, sign * (coarse_ref - coarse_dist))
        weight = (weight.sigmoid() if self.gate == "sigmoid" else weight) + _TINY
        return PatchScores(score.reshape(b, n), weight.reshape(b, n), coarse_ref, coarse_dist)

    def forward(self, ref: Tensor, dist: Tensor) -> Tensor:
        """One score per image, (B,)."""
        return self.predict(ref, dist).pooled()


def _head(layers: nn.ModuleList, x: Tensor) -> Tensor:
    first, last = layers
    result: Tensor = last(F.relu(first(x)))
    return result


# PieAPP v0.1 stores the weight of its last layer (one input, one output) with shape (1,).
PIEAPP: tuple[Rule, ...] = (
    *(rename(f"conv{k + 1}.{{leaf}}", f"convs.{k}.{{leaf}}") for k in range(CONVS)),
    *(rename(f"fc{k + 1}_score.{{leaf}}", f"score.{k}.{{leaf}}") for k in (0, 1)),
    *(rename(f"fc{k + 1}_weight.{{leaf}}", f"weight.{k}.{{leaf}}") for k in (0, 1)),
    rename("ref_score_subtract.weight", "level.weight", lambda t: t.reshape(1, 1)),
    rename("ref_score_subtract.bias", "level.bias"),
)
PU_PIEAPP: tuple[Rule, ...] = (
    *(rename(f"extractor.conv{k + 1}.{{leaf}}", f"convs.{k}.{{leaf}}") for k in range(CONVS)),
    *(rename(f"comparitor.fcs.{2 * k}.{{leaf}}", f"score.{k}.{{leaf}}") for k in (0, 1)),
    *(rename(f"comparitor.weights.{2 * k}.{{leaf}}", f"weight.{k}.{{leaf}}") for k in (0, 1)),
    rename("comparitor.fcs.4.{leaf}", "level.{leaf}"),
)

# Differences of the later variants from v0.1: PU-PieAPP as published, and retrained by Chubarau et al. 2024.
PUBLISHED: dict[str, Any] = {"order": "dist-ref", "gate": "none", "intake": "pu08"}
RETRAINED: dict[str, Any] = {"order": "dist-ref", "gate": "sigmoid", "intake": "imagenet"}

# Training settings, for both entries of nn/nets that use this network.
TRAINED: dict[str, Any] = {
    "patch": PATCH,
    "head": ("score", "level", "weight"),
    "features": lambda options: _COARSE,
    "training": {"input": "patches", "patches": 16, "test_patches": 16, "batch": 4},
}

# Convolution of VGG16 that initialises each of ours; two of them are used twice.
_FROM_VGG16 = (0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8)


def from_vgg16(state: State) -> State:
    """The eleven convolutions from a VGG16's tensors (our names)."""
    leaves = ("weight", "bias")
    return {
        f"convs.{k}.{leaf}": state[f"trunk.convs.{v}.{leaf}"]
        for k, v in enumerate(_FROM_VGG16)
        for leaf in leaves
    }


def witness(net: nn.Module) -> Tensor:
    """The score of one synthetic pair of patches."""
    ref, dist = pattern(2, 1, 1, 3, PATCH, PATCH).unbind()
    # values after normalisation
    peak = 255 if net.intake == "bgr255" else 1
    result: Tensor = net(peak * ref, peak * dist)[0]
    return result
