"""The vision transformer: tokens from patches, self-attention, pre-norm blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: in training, the branch is dropped for random samples and scaled up for the others.

    Source  Huang et al., ECCV 2016, doi:10.1007/978-3-319-46493-0_39
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = x.new_empty(x.shape[0], *[1] * (x.dim() - 1)).bernoulli_(1 - self.rate)
        return x * keep / (1 - self.rate)


class SelfAttention(nn.Module):
    """Multi-head self-attention; query, key and value are one matrix product."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"a width of {width} cannot be divided among {heads} heads")
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
        result: Tensor = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return result


def attended(query: Tensor, key: Tensor) -> Tensor:
    """Attention of the first token, (B, N): softmax weights, averaged over heads, sum 1."""
    row = query[:, :, :1] @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return torch.softmax(row.float(), -1).mean(1)[:, 0]


class Tokens(nn.Module):
    """What all patch embeddings share: [class, registers, patches] with positions and scales.

    width       size of a token
    grid        the position table has grid x grid rows, and one for the class token
    scales      number of pyramid levels with their own embedding; 1 for none
    registers   additional tokens without position and scale
    class_scale whether row 0 of the scale table is added to the class token (VTAMIQ of 2022)
    """

    def __init__(self, width: int, grid: int, scales: int, registers: int, class_scale: bool) -> None:
        super().__init__()
        self.grid, self.class_scale = grid, class_scale
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = _table(grid * grid + 1, width)
        self.scales = _table(scales + 1, width) if scales > 1 else None
        self.registers = _table(registers, width) if registers else None

    def placed(self, x: Tensor, place: Tensor, scale: Tensor | None) -> Tensor:
        """Embedded patches (B, N, width) with their position and scale.

        place    (B, N, 2): row and column in [0, 1); the nearest row of the position table is used
        scale    (B, N): 0 for full resolution, 1 for half, ...
        """
        row, column = (place * self.grid).long().clamp(0, self.grid - 1).unbind(-1)
        x = x + F.embedding(row * self.grid + column + 1, self.places[0])
        if self.scales is not None and scale is not None:
            level = scale.long().clamp(0, self.scales.shape[1] - 2) + 1
            x = x + F.embedding(level, self.scales[0])
        return x

    def headed(self, tokens: Tensor) -> Tensor:
        """The class token and the registers, followed by (B, N, width)."""
        first = self.first + self.places[:, :1]
        if self.class_scale and self.scales is not None:
            first = first + self.scales[:, :1]
        head = [first] if self.registers is None else [first, self.registers]
        return torch.cat([*(h.expand(tokens.shape[0], -1, -1) for h in head), tokens], 1)


class PatchTokens(Tokens):
    """Tokens from the pixels of patches, `patch` a side, as in ViT; see `Tokens` for the other arguments."""

    def __init__(
        self,
        width: int,
        patch: int = 16,
        grid: int = 24,
        scales: int = 1,
        registers: int = 0,
        class_scale: bool = False,
    ) -> None:
        # Before the tables, so that a seed gives the weights it always gave.
        embedding = nn.Conv2d(3, width, patch, patch)
        _as_texture(embedding.weight)
        super().__init__(width, grid, scales, registers, class_scale)
        self.patch = embedding

    def forward(self, patches: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """All tokens, (B, 1 + registers + N, width). See `tokens` for the arguments."""
        return self.headed(self.tokens(patches, place, scale))

    def tokens(self, patches: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """One token per patch, (B, N, width), of patches (B, N, 3, p, p) at `place` and `scale`, see `placed`."""
        # One matrix product; a convolution with stride equal to its size would copy first.
        x = F.linear(patches.flatten(2), self.patch.weight.flatten(1), self.patch.bias)
        return self.placed(x, place, scale)


def resize_places(table: Tensor, grid: int) -> Tensor:
    """A position table (1, 1 + g·g, D) for another grid, by linear zoom as in the program of ViT; row 0 is kept."""
    # imported here, because only imports of weights need it
    from scipy.ndimage import zoom

    old = round((table.shape[1] - 1) ** 0.5)
    if old == grid:
        return table
    cells = table[0, 1:].reshape(old, old, -1).float().numpy()
    grown = np.asarray(zoom(cells, (grid / old, grid / old, 1), order=1)).reshape(grid * grid, -1)
    return torch.cat([table[:, :1], torch.from_numpy(grown)[None].to(table)], 1)


@torch.no_grad()
def _as_texture(filters: Tensor) -> None:
    """Random filters with zero mean, because the mean of a patch would dominate its structure."""
    # values come from a file, and arithmetic on meta tensors would import torch's compiler
    if filters.is_meta:
        return
    filters -= filters.mean((2, 3), keepdim=True)
    filters *= 8


def _table(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(1, rows, width).normal_(std=0.02))


# of every layer norm, as in the JAX original
EPSILON = 1e-6


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
        """The block for the first token only, (B, width), and the queries and keys that it used."""
        q, k, v = self.attention.split(self.norm1(x))
        seen = F.scaled_dot_product_attention(q[:, :, :1], k, v).transpose(1, 2).flatten(2)
        y = x[:, :1] + self._branch(self.attention.out(seen), self.scale1)
        y = y + self._branch(self.fc2(F.gelu(self.fc1(self.norm2(y)))), self.scale2)
        return y[:, 0], q, k

    def _branch(self, x: Tensor, scale: Tensor | None) -> Tensor:
        result: Tensor = self.drop_path(x if scale is None else x * scale)
        return result


class Transformer(nn.Module):
    """Blocks and a final norm over `PatchTokens`, or over other `Tokens` of the same width.

    depth      number of blocks; may be fewer than in the pre-trained network, the final norm is kept
    drop_path  stochastic depth of the last block; it increases linearly from 0 at the first
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
        embed: Tokens | None = None,
    ) -> None:
        super().__init__()
        self.embed: Any = (
            PatchTokens(width, patch, grid, scales, registers, class_scale) if embed is None else embed
        )
        rates = [drop_path * i / max(depth - 1, 1) for i in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, mlp, layer_scale, rate) for rate in rates)
        self.norm = nn.LayerNorm(width, EPSILON)

    def forward(self, patches: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """All tokens after the final norm, (B, 1 + registers + N, width); token 0 is the class token."""
        return self.encode(self.embed.tokens(patches, place, scale))

    def encode(self, tokens: Tensor) -> Tensor:
        """The same from patch tokens (B, N, width), which may have been computed in parts."""
        x = self.embed.headed(tokens)
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.norm(x)
        return result

    def summarise(self, tokens: Tensor, look: bool = False) -> tuple[Tensor, Tensor | None]:
        """The class token (B, width) and, if requested, its attention in the last block, (B, N).

        In the last block only the class token is computed, which saves most of that block.
        """
        x = self.embed.headed(tokens)
        *others, last = (block for block in self.blocks if isinstance(block, Block))
        for block in others:
            x = block(x)
        first, query, key = last.first(x)
        seen = attended(query, key)[:, -tokens.shape[1] :] if look else None
        return self.norm(first), seen
