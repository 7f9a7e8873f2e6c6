"""A plain power of 1/2.2 of light relative to the display's white."""

from torch import Tensor

from hdrq.records import Encoding

_GAMMA = 2.2
_TINY = 1e-30  # keeps the slope finite at black


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of light, cd/m²; 1.0 at `white`."""
    return (nits / white).clamp(min=_TINY) ** (1 / _GAMMA)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m², of code."""
    return white * code.clamp(min=0) ** _GAMMA


gamma = Encoding(
    name="gamma",
    encode=_encode,
    decode=_decode,
    nits=(0.0, float("inf")),
    codes=255.0,
    absolute=False,
    grey="luma",
    source="power 2.2, the simplified display curve of ITU-R BT.470 system M",
)
