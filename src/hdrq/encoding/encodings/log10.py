"""The logarithm of absolute light, scaled so that 10 000 cd/m² is 1."""

from torch import Tensor

from hdrq.records import Encoding

# cd/m²
_FLOOR = 1e-5
_DECADES = 4.0


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """log10 of light (at least 1e-5 cd/m²) divided by 4: 0 at 1 cd/m², 1 at 10 000, negative below 1."""
    return nits.clamp(min=_FLOOR).log10() / _DECADES


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m²."""
    return 10 ** (code * _DECADES)


log10 = Encoding(
    name="log10",
    encode=_encode,
    decode=_decode,
    nits=(_FLOOR, float("inf")),
    codes=255.0,
    source="log-PSNR of libjxl/codec-comparison a086562 (peak log10 of 10 000)",
)
