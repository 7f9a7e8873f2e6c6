"""Conventions of TensorFlow that PyTorch does not share: SAME padding, kernels HWIO, batch norm without a counter."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, rename


class Norm(nn.BatchNorm2d):
    """Batch normalisation without the number of batches seen, which TensorFlow's checkpoints do not contain."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps)
        self.register_buffer("num_batches_tracked", None)

    def _load_from_state_dict(self, *args: Any) -> None:
        nn.Module._load_from_state_dict(self, *args)


def same(x: Tensor, kernel: int, stride: int, mode: str = "constant", value: float = 0.0) -> Tensor:
    """The input padded as for padding SAME; an odd number of rows or columns has one more at the end."""
    sizes = []
    for side in (x.shape[-1], x.shape[-2]):
        total = max(kernel - stride if side % stride == 0 else kernel - side % stride, 0)
        sizes += [total // 2, total - total // 2]
    return F.pad(x, sizes, mode=mode, value=value) if mode == "constant" else F.pad(x, sizes, mode=mode)


def kernel(theirs: str, ours: str) -> Rule:
    """The weights of a convolution, (h, w, in, out), or of a transposed one, (h, w, out, in): the same permutation."""
    return rename(theirs, ours, lambda t: t.permute(3, 2, 0, 1), lambda t: t.permute(2, 3, 1, 0))


def norm_rules(theirs: str, ours: str) -> tuple[Rule, ...]:
    """The four vectors of a batch normalisation."""
    leaves = (
        ("beta", "bias"),
        ("gamma", "weight"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    )
    return tuple(rename(f"{theirs}/{a}", f"{ours}.{b}") for a, b in leaves)
