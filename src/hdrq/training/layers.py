"""Outputs of a layer of a network, as rows of features that domain adaptation compares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.training.settings import Settings

# Maps are averaged to as many rows and columns: those of the last layer of PieAPP, at patches of 64x64.
_GRID = 2


def layer(module: nn.Module, name: str) -> nn.Module:
    """The part of a network with this name; UsageError lists those at the same place."""
    named: dict[str, nn.Module] = dict(module.named_modules())
    if name in named and name:
        return named[name]
    above = name.rpartition(".")[0]
    above = above if above in named else ""
    inside = [n for n in named if n and n.rpartition(".")[0] == above]
    raise UsageError(f"the network has no layer '{name}'; {above or 'it'} has {', '.join(inside) or 'none'}")


@contextmanager
def layer_outputs(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """Yields a list that is filled with the outputs of a layer, as rows, while the network computes in this block."""
    found: list[Tensor] = []

    def keep(_: nn.Module, __: Any, out: Any) -> None:
        found.append(rows(out))

    hook = layer(module, name).register_forward_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


def rows(out: Any) -> Tensor:
    """Features (M, D) from the output of a layer.

    (M, D)        as it is
    (M, N, D)     tokens: the first one, the class token, as the paper takes from the last block of VTAMIQ
    (M, C, H, W)  maps: averaged to 2x2, D = 4 C, as the last maps of PieAPP are
    """
    if not isinstance(out, Tensor) or not 2 <= out.ndim <= 4:
        raise UsageError(
            "this layer has no output of features; align one whose output is a tensor of rows, tokens or maps"
        )
    if out.ndim == 2:
        return out
    if out.ndim == 3:
        return out[:, 0]
    return F.adaptive_avg_pool2d(out, min(_GRID, *out.shape[-2:])).flatten(1)


def refuse_ablation(settings: Settings, module: Any) -> None:
    """UsageError for a layer that the network lacks, and for unaligned patches where it needs pairs of patches."""
    if settings.align_layer:
        layer(module, settings.align_layer)
    if not settings.aligned and (
        not hasattr(module, "compare") or getattr(module, "trunk", None) is not None
    ):
        raise UsageError(
            f"{settings.net} compares patches at the same places in both images; leave aligned at true"
        )
