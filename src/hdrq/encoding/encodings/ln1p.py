"""ln(1 + light) / ln(1 000 000), on which NoR-VDPNet was trained. Code 1.0 is a million cd/m², not an SDR white."""

from math import log

from torch import Tensor

from hdrq.records import Encoding

# cd/m², the program's default maxClip
_TOP = 1e6


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """ln(1 + y)/ln(1e6) of light y, cd/m²: 0 at black, 2/3 at 10 000."""
    return nits.clamp(min=0).log1p() / log(_TOP)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m²."""
    return (code * log(_TOP)).expm1()


ln1p = Encoding(
    name="ln1p",
    encode=_encode,
    decode=_decode,
    nits=(0.0, float("inf")),
    codes=255.0,
    source="Banterle et al., ICIP 2020, doi:10.1109/ICIP40778.2020.9191202; banterle/NoR-VDPNet fc25b9f",
)
