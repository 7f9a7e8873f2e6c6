"""L*a*b* as PSNR-DE and PSNR-L take it: in the digits of HDRTools, or in those of CIE."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.image.sharing import shared
from hdrq.records import Primaries
from hdrq.scoring.features.color_spaces import lab
from hdrq.scoring.features.hdrtools_light import lightness_curve, xyz_four_digits
from hdrq.scoring.features.pixel_pooling import by_rows

Variant = Literal["hdrtools", "ciede2000"]
_WHITE = (0.95047, 1.0, 1.08883)


def lab_of(light: Tensor, primaries: Primaries, white: float, variant: Variant) -> Tensor:
    """L*, a*, b*, (N, 3, H, W); `white` is the luminance of L* = 100, cd/m²."""
    return _hdrtools_lab(light, primaries, white) if variant == "hdrtools" else lab(light, primaries, white)


@shared
def _hdrtools_lab(light: Tensor, primaries: Primaries, white: float) -> Tensor:
    def convert(rows: Tensor) -> Tensor:
        xyz = xyz_four_digits.__wrapped__(rows, primaries)  # type: ignore[attr-defined]
        f = lightness_curve(xyz / (xyz.new_tensor(_WHITE).view(1, 3, 1, 1) * white))
        x, y, z = f.split(1, 1)
        return torch.cat([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)

    return by_rows(convert, light)
