"""Exposure fusion of a stack, frame by frame: one pass sums the weights, a second one blends."""

from __future__ import annotations

import torch
from torch import Tensor

from hdrq.image.exposure_fusion import Blend, Variant, quality
from hdrq.image.exposure_fusion import fuse as fuse_codes
from hdrq.image.transfer import linear_to_srgb
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import strips
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.raw_render import develop


def fuse(
    stack: ExposureStack,
    alignment: Alignment,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    device: torch.device | str = "cpu",
) -> Tensor:
    """(C, H, W) code of the common area, unclipped. weights: exponents of contrast, saturation, well-exposedness."""
    total = _scored(stack, alignment, 0, weights, device)[1]
    for k in range(1, len(stack)):
        total = total + _scored(stack, alignment, k, weights, device)[1]
    blend = Blend((total.shape[-2], total.shape[-1]))
    for k in range(len(stack)):
        code, weight = _scored(stack, alignment, k, weights, device)
        blend.add(code, weight / total)
    return blend.result()


def _scored(
    stack: ExposureStack,
    alignment: Alignment,
    k: int,
    weights: tuple[float, float, float],
    device: torch.device | str,
) -> tuple[Tensor, Tensor]:
    """A whole aligned frame as code, and the weight of its pixels."""
    code, seen = aligned_code(stack, alignment, k, device)
    return code, quality(code[None], *weights)[0] * seen.clamp(min=1e-9)


def aligned_code(
    stack: ExposureStack, alignment: Alignment, k: int, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Code (C, H, W), 0..1, of an aligned frame in float32, and where the frame covers the area (1, H, W), 1 or 0.

    Linear and raw frames are converted to sRGB code.
    """
    codes, seen, levels = [], [], 256
    for strip in strips(stack, alignment, k, device):
        codes.append(strip.codes)
        seen.append(strip.inside.expand(1, *strip.codes.shape[1:]))
        levels = strip.levels
    code = torch.cat(codes, 1).float() * torch.tensor(1 / (levels - 1), dtype=torch.float32)
    if stack.sensor:
        code = develop(code, stack.sensor, 1.0).clamp_(max=1)
    # the weights are defined for display code
    if stack.domain in ("linear", "nits"):
        code = linear_to_srgb(code)
    return code, torch.cat(seen, 1)


def mertens(
    frames: Tensor,
    *,
    contrast: float = 1.0,
    saturation: float = 1.0,
    exposure: float = 1.0,
    variant: Variant = "opencv",
) -> Tensor:
    """(N, C, H, W) codes 0..1 of one scene to one image (C, H, W); not clipped, values may lie slightly outside 0..1.

    variant  "toolbox": greyscale, borders and pyramid of HDR Toolbox; the result is scaled between its extremes
    """
    return fuse_codes([frame[None] for frame in frames], contrast, saturation, exposure, variant)[0]
