"""Encodings of SDR code: functions of light relative to the display's white."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from hdrq.records import Encoding

Curve = Callable[[Tensor], Tensor]


def relative(name: str, curve: Curve, inverse: Curve, source: str) -> Encoding:
    """An encoding whose code is 1.0 at white, above 1 for brighter light (no clipping) and 0 below black.

    curve    relative light (at least 0) to code
    inverse  code (at least 0) to relative light
    """
    return Encoding(
        name=name,
        encode=partial(_encode, curve),
        decode=partial(_decode, inverse),
        nits=(0.0, float("inf")),
        codes=255.0,
        absolute=False,
        grey="luma",
        source=source,
    )


def _encode(curve: Curve, nits: Tensor, white: float = 100.0) -> Tensor:
    """Code of light, cd/m²."""
    return curve((nits / white).clamp(min=0))


def _decode(inverse: Curve, code: Tensor, white: float = 100.0) -> Tensor:
    """Light, cd/m², of code."""
    return white * inverse(code.clamp(min=0))
