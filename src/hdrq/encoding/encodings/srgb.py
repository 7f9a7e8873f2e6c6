"""sRGB code of light relative to the display's white."""

import torch
from torch import Tensor

from hdrq.records import Encoding


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of light, cd/m²; 1.0 at `white`, above 1 beyond it (nothing is clipped), 0 below black."""
    x = (nits / white).clamp(min=0)
    return torch.where(x <= 0.0031308, 12.92 * x, 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m², of code; 1.0 is `white`."""
    v = code.clamp(min=0)
    return white * torch.where(v <= 0.04045, v / 12.92, ((v.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


srgb = Encoding(
    name="srgb",
    encode=_encode,
    decode=_decode,
    nits=(0.0, float("inf")),
    codes=255.0,
    absolute=False,
    grey="luma",
    source="IEC 61966-2-1:1999",
)
