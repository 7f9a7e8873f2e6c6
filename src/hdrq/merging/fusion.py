"""Exposure fusion frame by frame: once for the sum of the weights, once for the blend."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.exposure_fusion import Blend, quality
from hdrq.image.transfer import linear_to_srgb
from hdrq.merging.alignment.chain import Alignment
from hdrq.merging.exposure_stack import Bracket
from hdrq.merging.raw_render import develop
from hdrq.merging.view import views


def fuse(
    bracket: Bracket,
    alignment: Alignment,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    device: torch.device | str = "cpu",
) -> Tensor:
    """(C, H, W) code of the common area, unclipped. weights: powers of contrast, saturation, exposure."""
    total = sum(_scored(bracket, alignment, k, weights, device)[1] for k in range(len(bracket)))
    blend: Blend | None = None
    for k in range(len(bracket)):
        code, weight = _scored(bracket, alignment, k, weights, device)
        blend = blend or Blend((code.shape[1], code.shape[2]))
        blend.add(code, weight / total)
    assert blend is not None
    return blend.result()


def _scored(bracket: Bracket, alignment: Alignment, k: int, weights, device) -> tuple[Tensor, Tensor]:
    """A whole frame in place, code 0..1 in float32, and how good its pixels look."""
    codes, seen, levels = [], [], 256
    for view in views(bracket, alignment, k, device):
        codes.append(view.codes)
        seen.append(view.inside.expand(1, *view.codes.shape[1:]))
        levels = view.levels
    code = torch.cat(codes, 1).float() * torch.tensor(1 / (levels - 1), dtype=torch.float32)
    if bracket.sensor:
        code = develop(code, bracket.sensor, 1.0).clamp_(max=1)
    if bracket.domain in ("linear", "nits"):  # as it would look; light itself is too dark to be judged
        code = linear_to_srgb(code)
    return code, quality(code[None], *weights)[0] * torch.cat(seen, 1).clamp(min=1e-9)
