"""Losses of QD-net besides that of its scores: divergence of the quality code from its prior, and reconstruction.

Source: Wang et al. 2021; the paper does not give the weights of the terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hdrq.training.batches import Item

if TYPE_CHECKING:
    from hdrq.nn.nets.qdnet import QdNet


def with_partners(items: Sequence[Item]) -> list[Item]:
    """Items whose reference is the next image of the same scene: same content, different quality."""
    scenes: dict[str, list[Item]] = {}
    for item in items:
        scenes.setdefault(item.scene, []).append(item)
    after = {id(a): b for rows in scenes.values() for a, b in zip(rows, [*rows[1:], rows[0]])}
    return [replace(i, ref=after[id(i)].dist) for i in items]


def disentangling_loss(
    net: QdNet, terms: Mapping[str, float], x: Tensor, partner: Tensor
) -> tuple[Tensor, None, Tensor]:
    """(scores of x (B,), no features, the weighted sum of the terms).

    kl     divergence of the quality code's posterior from N(0, I), per image
    same   mean of |x - G(z, n)|: x reconstructed from its own quality code z and content n
    moved  mean of |partner - G(z of the partner, n)|: the content of x with the quality code of the partner
    """
    code, other = net.encode(x), net.encode(partner)
    z, away = (c.mean + torch.randn_like(c.mean) * (c.log_variance / 2).exp() for c in (code, other))
    size = (int(x.shape[-2]), int(x.shape[-1]))
    kl = 0.5 * (code.mean**2 + code.log_variance.exp() - 1 - code.log_variance).sum(1).mean()
    same = (x - net.decode(code, z, size)).abs().mean()
    moved = (partner - net.decode(code, away, size)).abs().mean()
    return (
        net.score(z),
        None,
        terms.get("kl", 0.0) * kl + terms.get("same", 0.0) * same + terms.get("moved", 0.0) * moved,
    )
