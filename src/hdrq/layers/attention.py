"""Self-attention with fused kernels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself; query, key and value are one matrix product."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, N, D) to query, key and value, each (B, heads, N, D/heads)."""
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to the same shape."""
        q, k, v = self.split(x)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def attended(query: Tensor, key: Tensor) -> Tensor:
    """What the first token attends to, (B, N): softmax weights, mean over heads, sum 1."""
    row = query[:, :, :1] @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return torch.softmax(row.float(), -1).mean(1)[:, 0]
