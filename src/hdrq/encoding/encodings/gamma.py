"""A power of 1/2.2 of light relative to the display's white."""

from torch import Tensor

from hdrq.encoding.curves import relative

_GAMMA = 2.2
# keeps the derivative finite at black
_TINY = 1e-30


def _curve(light: Tensor) -> Tensor:
    return light.clamp(min=_TINY) ** (1 / _GAMMA)


def _inverse(code: Tensor) -> Tensor:
    return code**_GAMMA


gamma = relative(
    "gamma",
    _curve,
    _inverse,
    source="power 2.2, the simplified display curve of ITU-R BT.470 system M",
)
