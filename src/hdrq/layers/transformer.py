"""The vision transformer: pre-norm blocks over a sequence of patches. doi:10.48550/arXiv.2010.11929"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.layers.attention import SelfAttention, attended
from hdrq.layers.drop_path import DropPath
from hdrq.layers.embeddings import PatchTokens

EPSILON = 1e-6  # of every layer norm, as in the JAX original


class Block(nn.Module):
    """x + scale · attention(norm(x)), then x + scale · mlp(norm(x))."""

    def __init__(self, width: int, heads: int, mlp: int, layer_scale: bool, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.attention = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.fc1, self.fc2 = nn.Linear(width, mlp), nn.Linear(mlp, width)
        self.scale1 = nn.Parameter(torch.ones(width)) if layer_scale else None
        self.scale2 = nn.Parameter(torch.ones(width)) if layer_scale else None
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same shape."""
        x = x + self._branch(self.attention(self.norm1(x)), self.scale1)
        return x + self._branch(self.fc2(F.gelu(self.fc1(self.norm2(x)))), self.scale2)

    def first(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What becomes of the first token alone, (B, width), and the queries and keys that led there."""
        q, k, v = self.attention.split(self.norm1(x))
        seen = F.scaled_dot_product_attention(q[:, :, :1], k, v).transpose(1, 2).flatten(2)
        y = x[:, :1] + self._branch(self.attention.out(seen), self.scale1)
        y = y + self._branch(self.fc2(F.gelu(self.fc1(self.norm2(y)))), self.scale2)
        return y[:, 0], q, k

    def _branch(self, x: Tensor, scale: Tensor | None) -> Tensor:
        return self.drop_path(x if scale is None else x * scale)


class Transformer(nn.Module):
    """Blocks and a final norm over `PatchTokens`.

    depth      blocks kept; fewer than a pre-trained net has is allowed, the final norm stays
    drop_path  stochastic depth of the last block; it grows linearly from 0 at the first
    """

    def __init__(
        self,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp: int = 3072,
        patch: int = 16,
        grid: int = 24,
        scales: int = 1,
        registers: int = 0,
        layer_scale: bool = False,
        class_scale: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.embed = PatchTokens(width, patch, grid, scales, registers, class_scale)
        rates = [drop_path * i / max(depth - 1, 1) for i in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, mlp, layer_scale, rate) for rate in rates)
        self.norm = nn.LayerNorm(width, EPSILON)

    def forward(self, patches: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """All tokens after the last norm, (B, 1 + registers + N, width); token 0 is the class token."""
        return self.encode(self.embed.tokens(patches, place, scale))

    def encode(self, tokens: Tensor) -> Tensor:
        """The same from patch tokens (B, N, width), which may have been made in pieces."""
        x = self.embed.headed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def summarise(self, tokens: Tensor, look: bool = False) -> tuple[Tensor, Tensor | None]:
        """The class token (B, width) and, where asked for, what it attends to in the last block, (B, N).

        In the last block only the class token asks and is answered, which saves most of that block.
        """
        x = self.embed.headed(tokens)
        *others, last = (block for block in self.blocks if isinstance(block, Block))
        for block in others:
            x = block(x)
        first, query, key = last.first(x)
        seen = attended(query, key)[:, -tokens.shape[1] :] if look else None
        return self.norm(first), seen
