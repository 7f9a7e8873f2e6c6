"""Frames of a sequence in order: files, a folder, a clip or images in memory, each read when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from hdrq.encoding.photometry import relabel
from hdrq.errors import UsageError
from hdrq.io import by_suffix, is_clip
from hdrq.io.clip import frames as clip_frames
from hdrq.io.clip import span
from hdrq.io.exposures import Exposure, exposures_of
from hdrq.io.folders import names_in
from hdrq.io.pairing import numbered
from hdrq.io.raw import SUFFIXES, Factors
from hdrq.io.remote import address_of
from hdrq.io.remote_cache import local
from hdrq.merging.exposure_stack import Frame, Source, name_of, read_frame
from hdrq.merging.file_settings import balance_of
from hdrq.merging.sequence.capture import CYCLES, REACH
from hdrq.merging.settings import Settings
from hdrq.records import Image

# stops by which frames of one exposure of the cycle may differ
SAME = 0.1


@dataclass(frozen=True)
class Entry:
    """A frame that is not read yet: its number in the sequence, its name, and where its pixels are."""

    number: int
    name: str
    source: Source


@dataclass(frozen=True)
class FrameSequence:
    """The frames of a sequence in order. Names and sources are empty for a clip, whose frames come as they are decoded."""

    names: tuple[str, ...]
    sources: tuple[Source, ...]
    entries: Callable[[], Iterator[Entry]]
    clip: Path | None = None

    def changed(self, name: str) -> int:
        """Time in nanoseconds at which the file of a frame or of a neighbour last changed; 0 for images in memory."""
        near: Sequence[Source] = [self.clip] if self.clip is not None else []
        if self.clip is None:
            at = self.names.index(name)
            near = self.sources[max(0, at - REACH) : at + 1 + REACH]
        return max((Path(s).stat().st_mtime_ns for s in near if isinstance(s, (str, Path))), default=0)


@dataclass(frozen=True)
class Shot:
    """A frame with its exposure.

    level  which of the exposures of the sequence it has, from the least
    """

    number: int
    name: str
    source: Source | Frame = field(repr=False)
    exposure: Exposure
    level: int
    reader: Reader = field(repr=False)

    @cached_property
    def frame(self) -> Frame:
        """The pixels, read at the first use."""
        return self.reader(self.source)

    @cached_property
    def mean(self) -> float:
        """Mean code of 8 bits."""
        return float(self.frame.eight().mean())


class Reader:
    """Reads frames; the white balance of the first raw frame is that of all."""

    def __init__(self, settings: Settings, mosaic: bool = False) -> None:
        self.settings, self.mosaic = settings, mosaic
        self.balance: str | Factors = settings.balance

    def __call__(self, source: Source | Frame) -> Frame:
        s = self.settings
        if isinstance(source, Image):
            source = relabel(source, s.files.photometry)
        raw = isinstance(source, (str, Path)) and Path(source).suffix.lower() in SUFFIXES
        frame = read_frame(source, s.white, self.balance, self.mosaic and raw, s.black, s.files)
        if frame.sensor:
            self.balance = frame.sensor.balance
        elif not self.mosaic and not isinstance(source, Frame):
            balance_of(None, s.balance, name_of(source, 0))
        return frame

    def compact(self, source: Source) -> Source | Frame:
        """An image that was decoded already as codes, which need less memory; a file as it is."""
        return self(source) if isinstance(source, Image) else source


def sequence_of(sources: Source | Sequence[Source], settings: Settings) -> FrameSequence:
    """The frames of a folder, by the numbers in their names; of a clip; or those that are listed, in that order."""
    given = [sources] if isinstance(sources, (str, Path, Image, np.ndarray)) else list(sources)
    if not given:
        raise UsageError("there are no frames; name files, a folder or a clip")
    given = [local(s) if isinstance(s, (str, Path)) and address_of(s) is not None else s for s in given]
    first, select = given[0], str(settings.files.select.frames or "")
    start, stop, step = span(select)
    if step != 1:
        raise UsageError(
            "--frames with a step leaves out exposures of the pattern; give a range such as 0:100"
        )
    if len(given) == 1 and isinstance(first, (str, Path)):
        if Path(first).is_dir():
            given = list(_of_folder(Path(first)))
        elif is_clip(first):
            clip = Path(first)
            return FrameSequence((), (), lambda: _of_clip(clip, select, start), clip)
    for source in given:
        if isinstance(source, (str, Path)) and (Path(source).is_dir() or is_clip(source)):
            raise UsageError(f"{source} is a folder or a clip among frames; give it alone, or only files")
    chosen = list(enumerate(given))[start:stop]
    if not chosen:
        raise UsageError(f"there are no frames in {select}; the sequence has {len(given)}")
    names = tuple(_name(s, i) for i, s in enumerate(given))
    listed = tuple(Entry(i, names[i], s) for i, s in chosen)
    return FrameSequence(names, tuple(given), lambda: iter(listed))


def _of_folder(folder: Path) -> Iterator[Path]:
    """Images of a folder by number; raw files by name."""
    raw = [folder / n for n in names_in(folder) if (f := by_suffix(n)) is not None and f.name == "raw"]
    found = list(numbered(folder).values())
    if raw and found:
        raise UsageError(f"{folder} contains raw files and other images; list the frames")
    if not (raw or found):
        raise UsageError(f"{folder} contains no frames; see: hdrq list formats")
    yield from raw or found


def _of_clip(path: Path, select: str, start: int) -> Iterator[Entry]:
    for number, image in enumerate(clip_frames(path, select), start):
        yield Entry(number, f"{path.stem}-{number:06d}", image)


def _name(source: Source, index: int) -> str:
    return name_of(source, index) if isinstance(source, (str, Path)) else f"frame-{index:06d}"


def shots_of(sequence: FrameSequence, settings: Settings) -> Iterator[Shot]:
    """The frames of a sequence whose exposure alternates.

    Exposures are those of one cycle, or of every frame; for files also those of EXIF or of the file names. UsageError where
    they are unknown, all equal, or more than three.
    """
    find = _of_cycle(settings) if not sequence.sources else _of_files(sequence, settings)
    reader = Reader(settings)
    for entry in sequence.entries():
        exposure, level = find(entry.number)
        yield Shot(entry.number, entry.name, reader.compact(entry.source), exposure, level, reader)


def levels_of(exposures: Sequence[Exposure]) -> list[int]:
    """Which of the different exposures each one is, from the least; UsageError where these are not 2 or 3."""
    stops = np.log2([float(e.relative or 0) for e in exposures])
    order = sorted(set(stops.tolist()))
    starts = [order[0], *(b for a, b in pairwise(order) if b - a > SAME)]
    if len(starts) not in CYCLES:
        some = f"one exposure ({exposures[0]})" if len(starts) == 1 else f"{len(starts)} exposures"
        raise UsageError(f"the frames have {some}; --pattern alternating takes 2 or 3 that alternate")
    return [int(np.searchsorted(starts, s, "right")) - 1 for s in stops]


def _of_cycle(settings: Settings) -> Callable[[int], tuple[Exposure, int]]:
    """Exposures of a clip's frames, which are stated for one cycle."""
    if settings.table is not None:
        raise UsageError("--exposures names files, but a clip has frames; give --times or --ev of one cycle")
    if settings.times is not None:
        cycle = [Exposure(seconds=t, source="--times") for t in settings.times]
    elif settings.ev is not None:
        cycle = [Exposure(ev=e, source="--ev") for e in settings.ev]
    else:
        raise UsageError(
            "a clip does not state its exposures; give --times or --ev of one cycle, such as --times 1/30,1/240, "
            "or --cycle 2 --estimate-exposures"
        )
    _refuse_cycle(len(cycle), settings.capture.cycle)
    if settings.times is not None and min(settings.times) <= 0:
        raise UsageError("--times must all be positive")
    levels = levels_of(cycle)
    return lambda number: (cycle[number % len(cycle)], levels[number % len(cycle)])


def _of_files(sequence: FrameSequence, settings: Settings) -> Callable[[int], tuple[Exposure, int]]:
    """Exposures of files or images in memory, stated for one cycle or for each."""
    count = len(sequence.names)

    def tiled(values: Sequence[float] | None) -> Sequence[float] | None:
        if values is None or len(values) not in CYCLES:
            return values
        _refuse_cycle(len(values), settings.capture.cycle)
        return [values[i % len(values)] for i in range(count)]

    paths = [s if isinstance(s, (str, Path)) else n for s, n in zip(sequence.sources, sequence.names)]
    given = any(x is not None for x in (settings.times, settings.ev, settings.table))
    if not given and not all(isinstance(s, (str, Path)) for s in sequence.sources):
        raise UsageError(
            "images in memory have no exposure; give times= or ev= of one cycle, such as times=(1 / 30, 1 / 240)"
        )
    found = exposures_of(paths, tiled(settings.times), tiled(settings.ev), settings.table)
    levels = levels_of(found)
    if settings.capture.cycle not in (None, max(levels) + 1):
        _refuse_cycle(max(levels) + 1, settings.capture.cycle)
    return lambda number: (found[number], levels[number])


def _refuse_cycle(have: int, stated: int | None) -> None:
    if have not in CYCLES:
        raise UsageError(
            f"the exposures of a cycle are 2 or 3, not {have}; give --times 1/30,1/240 or --ev 0,-3"
        )
    if stated not in (None, have):
        raise UsageError(
            f"--cycle {stated} contradicts the {have} exposures that are stated; leave one of them out"
        )
