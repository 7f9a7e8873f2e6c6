"""HLG, hybrid log-gamma: code relative to the display's peak, with the system gamma of BT.2100."""

from __future__ import annotations

from math import log, log10

import torch
from torch import Tensor

from hdrq.image.color import weigh
from hdrq.records import Encoding

_A = 0.17883277
_B = 1 - 4 * _A
_C = 0.5 - _A * log(4 * _A)
_WEIGHTS = (0.2627, 0.6780, 0.0593)  # BT.2100 luminance
_TINY = 1e-12


def _system_gamma(peak: float) -> float:
    """1.2 at 1000 cd/m²; the extended form outside 400..2000 cd/m² (BT.2100-3 note 5f, BT.2390)."""
    return (
        1.2 + 0.42 * log10(peak / 1000)
        if 400 <= peak <= 2000
        else 1.2 * 1.111 ** (log10(peak / 1000) / log10(2))
    )


def _encode(nits: Tensor, white: float = 1000.0, gamma: float | None = None) -> Tensor:
    """Display light, cd/m² (N, C, H, W) on a display of peak `white`, to signal 0..1 (inverse OOTF, then OETF).

    gamma  of the OOTF, in place of BT.2100's for that peak
    """
    shown = (nits / white).clamp(0, 1)
    y = weigh(shown, _WEIGHTS) if shown.dim() >= 3 and shown.shape[-3] == 3 else shown
    g = _system_gamma(white) if gamma is None else gamma
    scene = shown * y.clamp(min=_TINY) ** ((1 - g) / g)
    low = (3 * scene.clamp(min=_TINY)).sqrt()
    high = _A * (12 * scene - _B).clamp(min=_TINY).log() + _C
    return torch.where(scene <= 1 / 12, low, high)


def _decode(code: Tensor, white: float = 1000.0, gamma: float | None = None) -> Tensor:
    """Signal 0..1 (N, C, H, W) to display light, cd/m², on a display of peak `white` (inverse OETF, then OOTF).

    gamma  of the OOTF, in place of BT.2100's for that peak
    """
    v = code.clamp(0, 1)
    scene = torch.where(v <= 0.5, v**2 / 3, (((v - _C) / _A).exp() + _B) / 12)
    y = weigh(scene, _WEIGHTS) if scene.dim() >= 3 and scene.shape[-3] == 3 else scene
    return white * scene * y.clamp(min=_TINY) ** ((_system_gamma(white) if gamma is None else gamma) - 1)


hlg = Encoding(
    name="hlg",
    encode=_encode,
    decode=_decode,
    nits=(0.0, 10_000.0),
    codes=255.0,
    absolute=False,
    source="ITU-R BT.2100-3 table 5",
)
