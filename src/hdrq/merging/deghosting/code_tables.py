"""What every code of a frame says of the scene's radiance, as tables."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hdrq.merging.alignment.resample import Strip
from hdrq.merging.noise import Values
from hdrq.merging.response.curve import look_up

# factor by which a bound is relaxed, because the response is uncertain there
BOUND_SLACK = 0.75
# share by which a comparison that only selects pixels is wider than the one that decides
LOOSE = 1e-6
# radiance that stands for no upper bound
UNBOUNDED = 1e30


@dataclass(frozen=True)
class CodeTables:
    """What every code of one frame says of the radiance, (C or 1, levels) each: low, high and variance as in Seen, of
    pixels that are not clipped; least, the radiance at the noise floor for codes below it; clipped, 1 or 0; agreeing, 1
    minus the tolerated relative deviation; roof and floor, between which known light cannot contradict the code.

    For files whose light is not their code, low and high are factors on it, the variance is that of codes alone, and roof
    and floor mean nothing.
    """

    low: Tensor
    high: Tensor
    variance: Tensor
    least: Tensor
    clipped: Tensor
    agreeing: Tensor
    roof: Tensor
    floor: Tensor


def limits(low: Values, high: Values, deviation: Values, agreeing: Values) -> tuple[Values, Values]:
    """(roof, floor) of known light: a known low up to the roof and a known high from the floor on cannot contradict a frame.

    deviation  that of the frame alone, of which the tolerated noise is at least as much; LOOSE allows for rounding
    """
    roof, floor = (high + deviation) / agreeing, low * agreeing - deviation
    return roof * (1 - LOOSE), floor + LOOSE * (low + deviation)


def read_table(strip: Strip, table: Tensor, at: Tensor | None) -> Tensor:
    """A table (levels,) or (C or 1, levels) at the codes of a strip, (C, h, W), or of its flat indices `at`, (n,)."""
    if at is None:
        return look_up(strip.codes, table)
    codes = strip.codes.reshape(-1).index_select(0, at)
    if table.dim() == 2 and len(table) > 1:
        codes = codes + at // strip.codes[0].numel() * table.shape[1]
    return table.reshape(-1).index_select(0, codes)


def bound(low: Tensor, high: Tensor, clipped: Tensor) -> None:
    """Give pixels that are clipped at white no upper bound, and a lower one in all channels; (n,) tensors, in place.

    low, high  range of the radiance by a pixel's own code;  clipped  indices of pixels of which some channel is clipped
    """
    # high times BOUND_SLACK is the radiance of dark codes, whose low is 0
    least = (BOUND_SLACK * high.index_select(0, clipped)).maximum(low.index_select(0, clipped))
    low.index_copy_(0, clipped, least.mul_(BOUND_SLACK))
    high.index_fill_(0, clipped, UNBOUNDED)
