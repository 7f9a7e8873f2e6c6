"""PQ, the perceptual quantiser: absolute light from 0 to 10 000 cd/m²."""

from torch import Tensor

from hdrq.records import Encoding

_PEAK = 10_000.0
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_TINY = 1e-30  # keeps the derivative finite at black


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Inverse EOTF: cd/m² (clamped to [0, 10 000]) to signal 0..1; 100 cd/m² is 0.50808."""
    y = (nits.clamp(0, _PEAK) / _PEAK).clamp(min=_TINY) ** _M1
    return ((_C1 + _C2 * y) / (1 + _C3 * y)) ** _M2


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """EOTF: signal (clamped to [0, 1]) to cd/m²; computed in float64, because the powers 1/m2 and 1/m1 amplify rounding."""
    v = code.double().clamp(0, 1) ** (1 / _M2)
    light = _PEAK * ((v - _C1).clamp(min=_TINY) / (_C2 - _C3 * v)) ** (1 / _M1)
    return light.to(code.dtype)


pq = Encoding(
    name="pq",
    encode=_encode,
    decode=_decode,
    nits=(0.0, _PEAK),
    codes=255.0,
    source="SMPTE ST 2084:2014; ITU-R BT.2100-3 table 4",
)
