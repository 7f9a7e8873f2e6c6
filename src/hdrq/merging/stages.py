"""Names of the steps of a merge, for progress messages."""

from __future__ import annotations

from collections.abc import Generator

from hdrq.merging.alignment.placement import Alignment

# Shares of the time of a merge that are over after alignment, calibration and the detection of movement, about.
ALIGNED, CALIBRATED, DETECTED = 0.6, 0.75, 0.85


class Stage(str):
    """The name of a step, and the share of the whole merge that is done before it, estimated."""

    share: float

    def __new__(cls, name: str, share: float) -> Stage:
        stage = super().__new__(cls, name)
        stage.share = share
        return stage


def aligning(registering: Generator[int, None, Alignment], frames: int) -> Generator[Stage, None, Alignment]:
    """The stage before every frame is registered, then the alignment."""
    yield Stage(f"aligning frame 1 of {frames}", 0.0)
    while True:
        try:
            done = next(registering)
        except StopIteration as end:
            alignment: Alignment = end.value
            return alignment
        if done < frames:
            yield Stage(f"aligning frame {done + 1} of {frames}", ALIGNED * done / frames)
