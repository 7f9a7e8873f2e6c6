"""The mu-law of exposure merging: log(1 + 5000·x)/log(5001), x relative to the peak."""

from math import log1p

from torch import Tensor

from hdrq.records import Encoding

_MU = 5000.0


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of light, cd/m²; 1.0 at `white` (the peak in the literature: give --peak), 0 at black."""
    return (_MU / white * nits.clamp(min=0)).log1p() / log1p(_MU)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m², of code."""
    return (code * log1p(_MU)).expm1() * (white / _MU)


mu = Encoding(
    name="mu",
    encode=_encode,
    decode=_decode,
    nits=(0.0, float("inf")),
    codes=255.0,
    absolute=False,
    source="Kalantari & Ramamoorthi, SIGGRAPH 2017, doi:10.1145/3072959.3073609",
)
