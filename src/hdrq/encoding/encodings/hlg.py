"""HLG, hybrid log-gamma: code relative to the display's peak, with the system gamma of BT.2100."""

from __future__ import annotations

from torch import Tensor

from hdrq.image.transfer import hlg_to_nits, nits_to_hlg
from hdrq.records import Encoding


def _encode(nits: Tensor, white: float = 1000.0, gamma: float | None = None) -> Tensor:
    """Display light, cd/m² (N, C, H, W), on a display of peak `white`, to signal 0..1; gamma: see `nits_to_hlg`."""
    return nits_to_hlg(nits, white, gamma)


def _decode(code: Tensor, white: float = 1000.0, gamma: float | None = None) -> Tensor:
    """Signal 0..1 (N, C, H, W) to display light, cd/m², on a display of peak `white`."""
    return hlg_to_nits(code, white, gamma)


hlg = Encoding(
    name="hlg",
    encode=_encode,
    decode=_decode,
    nits=(0.0, 10_000.0),
    codes=255.0,
    absolute=False,
    source="ITU-R BT.2100-3 table 5",
)
