"""PQ, the perceptual quantiser: absolute light from 0 to 10 000 cd/m²."""

from torch import Tensor

from hdrq.image.transfer import PQ_PEAK, nits_to_pq, pq_to_nits
from hdrq.records import Encoding


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Inverse EOTF: cd/m² (clamped to [0, 10 000]) to signal 0..1; 100 cd/m² is 0.50808."""
    return nits_to_pq(nits)


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """EOTF: signal (clamped to [0, 1]) to cd/m²."""
    return pq_to_nits(code)


pq = Encoding(
    name="pq",
    encode=_encode,
    decode=_decode,
    nits=(0.0, PQ_PEAK),
    codes=255.0,
    source="SMPTE ST 2084:2014; ITU-R BT.2100-3 table 4",
)
