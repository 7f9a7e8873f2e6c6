"""A stack of exposures on disk: read one by one, kept in memory as far as they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from hdrq.errors import FileError, UsageError
from hdrq.io.exposures import Exposure, check_spread
from hdrq.io.memory import free_bytes
from hdrq.io.raw import Factors, Sensor
from hdrq.merging.frames import Frame, read_frame
from hdrq.records import Primaries

SHARE = 0.25  # of free memory that decoded frames may keep
MOST = 1_500_000_000  # bytes they keep at most, so that thirty 45-megapixel frames merge within 8 GB


@dataclass
class Survey:
    """What one look at every frame found, a value per frame.

    white, black   share of pixels clipped there, in the channel with most;  good: share of codes well exposed
    low, high      least and largest code, of 1;  ceiling: the code at which the stack's frames saturate, of 1
    """

    white: list[float] = field(default_factory=list)
    black: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    good: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    ceiling: float = 1.0


class Bracket:
    """Frames in the order given, with their exposures. `frame(i)` reads what is not at hand."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        exposures: Sequence[Exposure],
        *,
        white: float | None = None,
        black: float | None = None,
        balance: str | Factors = "camera",
        mosaic: bool = False,
        equal: bool = False,
        budget: int | None = None,
    ) -> None:
        check_spread(exposures, paths, equal)
        self.paths = [Path(p) for p in paths]
        self.exposures = list(exposures)
        self.seconds = np.array([e.relative for e in exposures], float)
        self.white, self.black, self.balance, self.as_mosaic = white, black, balance, mosaic
        self.budget = min(MOST, int(SHARE * free_bytes())) if budget is None else budget
        self._kept: dict[int, Frame] = {}
        self.size: tuple[int, int] = (0, 0)
        self.channels = 0
        self.levels = 0
        self.domain = ""
        self.primaries: Primaries | None = None
        self.sensor: Sensor | None = None
        self.raw = ""
        self.notes: list[str] = []

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def order(self) -> list[int]:
        """Frames from the shortest exposure to the longest."""
        return [int(i) for i in np.argsort(self.seconds, kind="stable")]

    @property
    def names(self) -> list[str]:
        return [p.name for p in self.paths]

    def frame(self, i: int) -> Frame:
        """Frame i; refused where its size, depth or meaning differs from the first one read."""
        if i in self._kept:
            return self._kept[i]
        frame = read_frame(self.paths[i], self.white, self.balance, self.as_mosaic, self.black)
        first = not self.channels
        if first:
            self.size, self.channels, self.levels = frame.size, len(frame.codes), frame.levels
            self.domain, self.primaries = frame.domain, frame.primaries
            self.sensor, self.raw = frame.sensor, frame.raw
            if frame.sensor:  # a camera may balance every frame anew; its first one decides for all
                self.balance = frame.sensor.balance
        if first or frame.sensor:
            self.notes += [n for n in frame.notes if n not in self.notes]
        self._check(i, frame)
        held = sum(_bytes(f) for f in self._kept.values())
        if held + _bytes(frame) <= self.budget:
            self._kept[i] = frame
        return frame

    def _check(self, i: int, frame: Frame) -> None:
        name = self.names[i]
        if frame.size != self.size:
            h, w = self.size
            raise FileError(
                f"{name} is {frame.size[1]} x {frame.size[0]}, the others {w} x {h}; bring them to one size"
            )
        if len(frame.codes) != self.channels:
            raise FileError(f"{name} has {len(frame.codes)} channels, the others {self.channels}; convert it")
        if bool(frame.sensor) != bool(self.sensor):
            raise FileError(
                f"raw files do not merge with finished pictures; leave out {name}, or develop all"
            )
        if frame.sensor and self.sensor and frame.sensor.pattern != self.sensor.pattern:
            raise FileError(f"{name} has its colours in another order than the frames before; leave it out")
        if frame.levels != self.levels or frame.domain != self.domain:
            raise FileError(
                f"{name} holds {frame.domain} code of other depth or kind than the frames before; convert it"
            )


def _bytes(frame: Frame) -> int:
    return frame.codes.nbytes + (frame.light.nbytes if frame.light is not None else 0)


def look(frame: Frame, eight: np.ndarray, survey: Survey) -> None:
    """Add a frame's clipping, mean and use to the survey."""
    counts = np.stack([np.bincount(c.ravel(), minlength=256) for c in eight])
    total = counts.sum(1)
    survey.white.append(float((counts[:, -1] / total).max()))
    survey.black.append(float((counts[:, 0] / total).max()))
    present = np.flatnonzero(counts.sum(0))
    survey.low.append(float(present[0]) / 255)
    survey.high.append(float(present[-1]) / 255)
    survey.good.append(float(counts[:, 16:240].sum() / total.sum()))
    survey.mean.append(float((counts.sum(0) @ np.arange(256)) / total.sum()))


def ceiling_of(frame: Frame) -> float | None:
    """The code at which a frame saturates, as a share of the largest, where a spike below the largest shows it."""
    top = frame.levels - 1
    highest = int(frame.codes.max())
    if highest == top:
        return 1.0
    piled = int((frame.codes >= highest - max(1, top // 4096)).sum())
    return highest / top if highest > 0.5 * top and piled > 1e-3 * frame.codes.size else None


def check_order(bracket: Bracket, survey: Survey) -> None:
    """Refuse exposures that contradict the pixels: a frame said to be brighter whose pixels are darker."""
    order = bracket.order
    for a, b in pairwise(order):
        stops = np.log2(bracket.seconds[b] / bracket.seconds[a])
        if stops > 0.3 and survey.mean[b] < survey.mean[a] - 4:
            raise UsageError(
                f"{bracket.names[b]} states {stops:.1f} stops more light than {bracket.names[a]} but is darker; "
                "the exposures contradict the pixels: give --times, --ev or --estimate-exposures"
            )
