"""log10(1 + light), on which NoR-VDPNet++ and DIQM were trained. Code 1.0 is 9 cd/m², not an SDR white."""

from math import log

from torch import Tensor

from hdrq.records import Encoding


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """log10(1 + y) of light y, cd/m²: 0 at black, 3.1 at 1400, 4 at 10 000."""
    return nits.clamp(min=0).log1p() / log(10)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m²."""
    return (code * log(10)).expm1()


log1p = Encoding(
    name="log1p",
    encode=_encode,
    decode=_decode,
    nits=(0.0, float("inf")),
    codes=255.0,
    source="Banterle et al., IEEE Access 2023, doi:10.1109/ACCESS.2023.3263496; banterle/NoR-VDPNetpp af791c2",
)
