"""Exposure fusion: the best-looking parts of all frames, blended without radiance in between."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.ops.merger import MergerCard, merger

Variant = Literal["opencv", "toolbox"]
TINY = 1e-12
SIGMA = 0.2  # of the Gaussian around mid-grey


def quality(code: Tensor, contrast: float = 1.0, saturation: float = 1.0, exposure: float = 1.0) -> Tensor:
    """How good every pixel looks, (1, H, W): |Laplacian| of grey, spread of the channels, nearness to mid-grey.

    code  (C, H, W), 0..1, kept in float32 as OpenCV keeps it: where a frame is flat its rounding decides
    """
    r, g, b = code if len(code) == 3 else (code[0],) * 3
    grey = (r * 0.299 + g * 0.587) + b * 0.114
    p = F.pad(grey[None, None], (1, 1, 1, 1), mode="reflect")[0, 0]
    bent = ((p[:-2, 1:-1] + p[1:-1, :-2]) - 4 * grey + p[1:-1, 2:]) + p[2:, 1:-1]
    mean = (r + g + b) * (1 / 3)
    vivid = ((r - mean).square() + (g - mean).square() + (b - mean).square()).sqrt()
    near = torch.exp(-(code - 0.5).square() / (2 * SIGMA**2)).prod(0)
    near = near**3 if len(code) == 1 else near
    vivid = torch.ones_like(vivid) if len(code) == 1 else vivid
    return (bent.abs() ** contrast * vivid**saturation * near**exposure + TINY)[None]


def _kernel(x: Tensor) -> Tensor:
    return torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=x.dtype, device=x.device) / 16


def _blur(x: Tensor, border: str = "reflect") -> Tensor:
    """Binomial 5 x 5 of (C, H, W)."""
    k = _kernel(x)
    h, w = x.shape[-2:]
    at_y = _mirrored(h, border, x.device)
    at_x = _mirrored(w, border, x.device)
    y = x[:, at_y]
    y = k[0] * (y[:, :h] + y[:, 4:]) + k[1] * (y[:, 1 : h + 1] + y[:, 3 : h + 3]) + k[2] * y[:, 2 : h + 2]
    y = y[:, :, at_x]
    outer, inner = y[:, :, :w] + y[:, :, 4:], y[:, :, 1 : w + 1] + y[:, :, 3 : w + 3]
    return k[0] * outer + k[1] * inner + k[2] * y[:, :, 2 : w + 2]


def _mirrored(n: int, border: str, device) -> Tensor:
    """Indices -2 .. n + 1 of a line of n samples; "reflect" without the edge, "symmetric" with it."""
    i = torch.arange(-2, n + 2, device=device)
    if n == 1:
        return torch.zeros_like(i)
    if border == "symmetric":
        i = i % (2 * n)
        return torch.where(i < n, i, 2 * n - 1 - i)
    i = i % (2 * n - 2)
    return torch.where(i < n, i, 2 * n - 2 - i)


def shrink(x: Tensor, variant: Variant = "opencv") -> Tensor:
    """Every second pixel of the blurred picture."""
    return _blur(x, "reflect" if variant == "opencv" else "symmetric")[:, ::2, ::2]


def expand(x: Tensor, size: tuple[int, int], variant: Variant = "opencv") -> Tensor:
    """Back to (height, width): the blur of a picture with zeros between, x 4; the last row and column repeat.

    "toolbox": nearest neighbour, then the same blur.
    """
    if variant == "toolbox":
        return _blur(F.interpolate(x[None], size=size, mode="nearest")[0], "symmetric")
    return _expand(_expand(x, size[0], -2), size[1], -1)


def _expand(x: Tensor, n: int, dim: int) -> Tensor:
    x = x.movedim(dim, 0)
    before = torch.cat([x[1:2] if len(x) > 1 else x[:1], x[:-1]])
    after = torch.cat([x[1:], x[-1:]])
    even, odd = (before + 6 * x + after) / 8, (x + after) / 2
    out = x.new_empty((n, *x.shape[1:]))
    out[::2], out[1::2] = even[: (n + 1) // 2], odd[: n // 2]
    return out.movedim(0, dim)


class Blend:
    """Laplacian pyramids summed frame by frame under Gaussian pyramids of their weights."""

    def __init__(self, size: tuple[int, int], variant: Variant = "opencv") -> None:
        self.variant = variant
        self.levels = max(0, min(size).bit_length() - 1)
        self.sums: list[Tensor] = []

    def add(self, code: Tensor, weight: Tensor) -> None:
        """code (C, H, W);  weight (1, H, W), the weights of all frames summing to 1."""
        for level in range(self.levels + 1):
            if level < self.levels:
                small = shrink(code, self.variant)
                detail = code - expand(small, (code.shape[-2], code.shape[-1]), self.variant)
            else:
                small, detail = code, code
            part = detail * weight
            if len(self.sums) <= level:
                self.sums.append(part)
            else:
                self.sums[level] += part
            code = small
            if level < self.levels:
                weight = shrink(weight, self.variant)

    def result(self) -> Tensor:
        """(C, H, W) code, which may leave 0..1."""
        out = self.sums[-1]
        for detail in reversed(self.sums[:-1]):
            out = detail + expand(out, (detail.shape[-2], detail.shape[-1]), self.variant)
        return out


@merger(
    MergerCard(
        title="Exposure fusion by contrast, saturation and nearness to mid-grey",
        kind="fusion",
        source="Mertens, Kautz & Van Reeth, Pacific Graphics 2007, doi:10.1109/PG.2007.17; borders as in OpenCV 5",
    )
)
def mertens(
    frames: Tensor,
    *,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposure: float = 1.0,
    variant: Variant = "opencv",
) -> Tensor:
    """(N, C, H, W) codes 0..1 of one scene to one picture (C, H, W); not clipped, a little may leave 0..1."""
    weights = [quality(f, contrast, saturation, exposure) for f in frames]
    total = torch.stack(weights).sum(0)
    blend = Blend((frames.shape[-2], frames.shape[-1]), variant)
    for frame, weight in zip(frames, weights):
        blend.add(frame, weight / total)
    out = blend.result()
    return (out - out.min()) / (out.max() - out.min()) if variant == "toolbox" else out
