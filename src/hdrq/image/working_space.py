"""The primaries in which operators compute: BT.709, or within a block those of the light that they are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

from hdrq.image.color import convert, rgb_to_xyz
from hdrq.records import BT709, BT2020, Primaries

_working: ContextVar[Primaries] = ContextVar("hdrq_working_space", default=BT709)


@contextmanager
def working_in(primaries: Primaries) -> Iterator[None]:
    """Within this block, the light of operators, expanders and statistics has these primaries."""
    token = _working.set(primaries)
    try:
        yield
    finally:
        _working.reset(token)


def working_space() -> Primaries:
    """The primaries of the light."""
    return _working.get()


def luminance_weights(of_bt709: tuple[float, ...]) -> tuple[float, ...]:
    """Weights of luminance: the given digits for BT.709, and the exact ones for other primaries."""
    space = _working.get()
    return of_bt709 if space == BT709 else tuple(float(w) for w in rgb_to_xyz(space)[1])


def to_bt709(light: Tensor) -> Tensor:
    """The light in BT.709, not clipped."""
    return convert(light, _working.get(), BT709)


def from_bt709(light: Tensor) -> Tensor:
    """BT.709 light in the working space, not clipped."""
    return convert(light, BT709, _working.get())


def to_bt2020(light: Tensor) -> Tensor:
    """The light in BT.2020, (N, 3, H, W); one channel is repeated to three."""
    if light.shape[1] == 1:
        return light.expand(-1, 3, -1, -1)
    return convert(light, _working.get(), BT2020).clamp(min=0)


def from_bt2020(light: Tensor, channels: int) -> Tensor:
    """BT.2020 light in the working space, not clipped; one channel again where the input had one."""
    return convert(light, BT2020, _working.get()) if channels == 3 else light[:, :1]
