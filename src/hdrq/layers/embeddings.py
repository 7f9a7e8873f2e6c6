"""Tokens from patches: what is in them, where they were cut, and at which scale."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import zoom
from torch import Tensor, nn


class PatchTokens(nn.Module):
    """Patches with positions and scales become a sequence [class, registers, patches].

    width, patch   of a token, of a patch's side
    grid           the position table has grid x grid rows, and one for the class token
    scales         how many pyramid levels have an embedding of their own; 1 for none
    registers      extra tokens with neither position nor scale
    class_scale    whether the class token also gets row 0 of the scale table (VTAMIQ of 2022)
    """

    def __init__(
        self,
        width: int,
        patch: int = 16,
        grid: int = 24,
        scales: int = 1,
        registers: int = 0,
        class_scale: bool = False,
    ) -> None:
        super().__init__()
        self.grid, self.class_scale = grid, class_scale
        self.patch = nn.Conv2d(3, width, patch, patch)
        _as_texture(self.patch.weight)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.places = _table(grid * grid + 1, width)
        self.scales = _table(scales + 1, width) if scales > 1 else None
        self.registers = _table(registers, width) if registers else None

    def forward(self, patches: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """Whole sequences, (B, 1 + registers + N, width). See `tokens` for the arguments."""
        return self.headed(self.tokens(patches, place, scale))

    def tokens(self, patches: Tensor, place: Tensor, scale: Tensor | None = None) -> Tensor:
        """One token a patch, (B, N, width).

        patches  (B, N, 3, p, p)
        place    (B, N, 2): row and column in [0, 1); the nearest row of the table is taken
        scale    (B, N): 0 for full resolution, 1 for half, ...
        """
        # One matrix product; a convolution whose stride is its size would copy first.
        x = F.linear(patches.flatten(2), self.patch.weight.flatten(1), self.patch.bias)
        row, column = (place * self.grid).long().clamp(0, self.grid - 1).unbind(-1)
        x = x + F.embedding(row * self.grid + column + 1, self.places[0])
        if self.scales is not None and scale is not None:
            level = scale.long().clamp(0, self.scales.shape[1] - 2) + 1
            x = x + F.embedding(level, self.scales[0])
        return x

    def headed(self, tokens: Tensor) -> Tensor:
        """The class token and the registers put before (B, N, width)."""
        first = self.first + self.places[:, :1]
        if self.class_scale and self.scales is not None:
            first = first + self.scales[:, :1]
        head = [first] if self.registers is None else [first, self.registers]
        return torch.cat([*(h.expand(tokens.shape[0], -1, -1) for h in head), tokens], 1)


def resize_places(table: Tensor, grid: int) -> Tensor:
    """A position table (1, 1 + g·g, D) for another grid, order-1 zoom as the ViT authors do; row 0 stays."""
    old = round((table.shape[1] - 1) ** 0.5)
    if old == grid:
        return table
    cells = table[0, 1:].reshape(old, old, -1).float().numpy()
    grown = np.asarray(zoom(cells, (grid / old, grid / old, 1), order=1)).reshape(grid * grid, -1)
    return torch.cat([table[:, :1], torch.from_numpy(grown)[None].to(table)], 1)


@torch.no_grad()
def _as_texture(filters: Tensor) -> None:
    """Random filters begin blind to a patch's mean, which would drown what happens within it."""
    filters -= filters.mean((2, 3), keepdim=True)
    filters *= 8


def _table(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(1, rows, width).normal_(std=0.02))
