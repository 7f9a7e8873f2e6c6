"""How the three published forms of PieAPP name their tensors, and how they differ beside the names."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hdrq.layers.keys import Rule, State, rename
from hdrq.layers.net import pattern
from hdrq.layers.patch_comparer import CONVS, PATCH

# PieAPP v0.1 stores the weight of its last, 1-to-1 layer with shape (1,).
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

# How the later forms differ from v0.1: PU-PieAPP as published, and as re-trained by Chubarau et al. 2024.
PUBLISHED: dict[str, Any] = {"order": "dist-ref", "gate": "none", "intake": "pu08"}
RETRAINED: dict[str, Any] = {"order": "dist-ref", "gate": "sigmoid", "intake": "imagenet"}

# Convolution of VGG16 that each of ours starts from; two of them serve twice.
_FROM_VGG16 = (0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8)


def from_vgg16(state: State) -> State:
    """The eleven convolutions out of a VGG16's tensors (our names)."""
    leaves = ("weight", "bias")
    return {
        f"convs.{k}.{leaf}": state[f"trunk.convs.{v}.{leaf}"]
        for k, v in enumerate(_FROM_VGG16)
        for leaf in leaves
    }


def witness(net: nn.Module) -> Tensor:
    """The score of one computed pair of patches."""
    ref, dist = pattern(2, 1, 1, 3, PATCH, PATCH).unbind()
    peak = 255 if net.intake == "bgr255" else 1  # these are numbers after the intake
    return net(peak * ref, peak * dist)[0]
