"""Light relative to the display's white, without an encoding."""

from torch import Tensor

from hdrq.records import Encoding


def _encode(nits: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m², divided by `white`."""
    return nits / white


def _decode(code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m²."""
    return code * white


linear = Encoding(
    name="linear",
    encode=_encode,
    decode=_decode,
    nits=(0.0, float("inf")),
    codes=255.0,
    absolute=False,
    source="identity",
)
